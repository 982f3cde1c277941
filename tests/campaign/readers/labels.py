"""GeoJSON labels: text, JSON values, geometries and coordinate systems."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import shapely
from shapely.geometry import shape

from tests.campaign.mutations import TEXT, mutate_bytes, mutate_value
from tests.campaign.readers.rasters import decoded
from tests.campaign.readers.release import Damage, ReleaseReader, Right
from tests.campaign.world import LABELS, SAR, SIDE_PX, TileKey


class LabelFiles(ReleaseReader):
    """Labels of one tile; what is accepted must cover the area that an independent reading finds."""

    name = "geojson"

    def damage(self, rng: Random, tile: TileKey, files: Mapping[str, bytes]) -> tuple[str, Damage]:
        """Damage the label file."""
        del tile
        content = files[LABELS]
        if rng.random() < 0.3 and content.strip():
            described, changed = mutate_bytes(rng, content, TEXT)
            return LABELS, Damage(described, changed, Right.ANY, _area(changed, files[SAR]))
        document = json.loads(content)
        described, text, right = rng.choice((_value, _value, _crs, _coordinates, _coordinates, _shapes))(
            rng, document
        )
        changed = text.encode("utf-8", errors="surrogatepass")
        area = None if right is Right.NEVER else _area(changed, files[SAR])
        return LABELS, Damage(described, changed, right, area)


def _value(rng: Random, document: Any) -> tuple[str, str, Right]:
    described, changed = mutate_value(rng, document)
    return described, _dumped(changed), Right.ANY


def _crs(rng: Random, document: Any) -> tuple[str, str, Right]:
    name, right = rng.choice(
        (
            ("urn:ogc:def:crs:EPSG::4326", Right.NEVER),
            ("EPSG:4326", Right.NEVER),
            ("urn:ogc:def:crs:OGC:1.3:CRS84", Right.NEVER),
            ("urn:ogc:def:crs:EPSG::5773", Right.NEVER),
            ("urn:ogc:def:crs,crs:EPSG::32631,crs:EPSG::5773", Right.ANY),
            ("EPSG:32631+5773", Right.ANY),
            ("EPSG:32631", Right.KEPT),
            ("urn:ogc:def:crs:EPSG:9.9.1:32631", Right.SAME),
            ("urn:ogc:def:crs:EPSG::32632", Right.NEVER),
            ("EPSG:4978", Right.NEVER),
            ("EPSG:99999999", Right.NEVER),
            ("EPSG:32631\0", Right.NEVER),
            ("", Right.NEVER),
            ("+proj=utm +zone=31 +datum=WGS84", Right.ANY),
            ("+proj=pipeline +step +init=/etc/passwd", Right.NEVER),
            ("x" * 1_000_000, Right.NEVER),
            ("http://127.0.0.1:9/crs", Right.NEVER),
        )
    )
    document["crs"]["properties"]["name"] = name
    if rng.random() < 0.2:
        member: Any = rng.choice((None, [], "EPSG:32631", 5, {"type": "link"}, {"properties": None}))
        document["crs"] = member
        right, name = (Right.SAME if member is None else Right.ANY), repr(member)
    return f"crs {name[:60]!r}", _dumped(document), right if document["features"] else Right.ANY


def _coordinates(rng: Random, document: Any) -> tuple[str, str, Right]:
    """Change the coordinates of one or all rings."""
    features = document["features"]
    if not features:
        return "as it is", _dumped(document), Right.SAME
    name, change, right = rng.choice(_CHANGES)
    for feature in features if rng.random() < 0.4 else features[:1]:
        geometry = feature["geometry"]
        geometry["coordinates"] = [change(ring) for ring in geometry["coordinates"]]
    return f"rings {name}", _dumped(document), right


def _each(change: Callable[[int, list[float]], list[Any]]) -> Callable[[list[list[float]]], list[Any]]:
    return lambda ring: [change(number, list(point)) for number, point in enumerate(ring)]


_FIRST: dict[str, Any] = {
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "1e308": 1e308,
    "a text": "592000",
    "true": True,
    "of 400 digits": 10**400,
}

_CHANGES: tuple[tuple[str, Callable[[list[list[float]]], list[Any]], Right], ...] = (
    ("with a height in every second point", _each(lambda i, p: p + [5.0] * (i % 2)), Right.KEPT),
    ("of x, y, z, m in turn", _each(lambda i, p: p + [5.0] * (i % 3)), Right.KEPT),
    ("with heights", _each(lambda _, p: [*p, 5.0]), Right.KEPT),
    ("with heights of null", _each(lambda _, p: [*p, None]), Right.ANY),
    ("with seven numbers", _each(lambda _, p: [*p, 1.0, 2.0, 3.0, 4.0, 5.0]), Right.ANY),
    ("with one number", _each(lambda _, p: p[:1]), Right.ANY),
    ("of empty points", _each(lambda _, p: p[:0]), Right.ANY),
    ("y before x", _each(lambda _, p: p[::-1]), Right.NEVER),
    ("1 km east", _each(lambda _, p: [p[0] + 1000, p[1]]), Right.ANY),
    ("open", lambda ring: ring[:-1], Right.ANY),
    ("backwards", lambda ring: ring[::-1], Right.ANY),
    ("of two points", lambda ring: ring[:2], Right.ANY),
    ("of one point four times", lambda ring: [ring[0]] * 4, Right.ANY),
    ("crossed", lambda ring: [ring[0], ring[2], ring[1], *ring[3:]], Right.ANY),
    ("with 50,000 points", lambda ring: [ring[0]] * 50_000 + ring, Right.ANY),
    *(
        (f"with {name}", _each(lambda i, p, v=value: [v, p[1]] if i == 1 else p), Right.ANY)  # type: ignore[misc]
        for name, value in _FIRST.items()
    ),
)


def _shapes(rng: Random, document: Any) -> tuple[str, str, Right]:
    """Add a geometry that is odd, huge, nested deeply or of another kind."""
    if not document["features"]:
        return "as it is", _dumped(document), Right.SAME
    x, y = document["features"][0]["geometry"]["coordinates"][0][0][:2]
    far = 70_000.0
    name, geometry, right = rng.choice(
        (
            ("a building of 20,000 km2", _square(x - far, y - far, 2 * far), Right.NEVER),
            ("a building of 100 km2", _square(x - 5000, y - 5000, 10_000), Right.NEVER),
            ("nested 500 deep", {"type": "Polygon", "coordinates": _nested(500)}, Right.ANY),
            ("nested 100,000 deep", "DEEP", Right.ANY),
            ("a collection nested 500 deep", _collection(500), Right.ANY),
            ("a collection", _collection(1), Right.ANY),
            ("a point", {"type": "Point", "coordinates": [x, y]}, Right.ANY),
            ("a line", {"type": "LineString", "coordinates": [[x, y], [x + 5, y]]}, Right.ANY),
            (
                "many parts",
                {"type": "MultiPolygon", "coordinates": [_square(x, y, 4)["coordinates"]]},
                Right.ANY,
            ),
            ("a multipolygon of points", {"type": "MultiPolygon", "coordinates": [x, y]}, Right.ANY),
            ("a circle", {"type": "CurvePolygon", "coordinates": []}, Right.ANY),
            ("null", None, Right.SAME),
            ("empty", {"type": "Polygon", "coordinates": []}, Right.SAME),
            ("without type", {"coordinates": []}, Right.ANY),
            ("a list", [1], Right.ANY),
            ("a text", "POLYGON EMPTY", Right.ANY),
        )
    )
    feature: dict[str, Any] = {
        "type": "Feature",
        "properties": rng.choice(({}, None, [], 5)),
        "geometry": geometry,
    }
    document["features"].append(feature)
    if rng.random() < 0.1:
        document["features"] += [copy.deepcopy(feature) for _ in range(300)]
    text = _dumped(document).replace('"DEEP"', f"{'[' * 100_000}{']' * 100_000}")
    return f"one more: {name}", text, right


def _square(x: float, y: float, side: float) -> dict[str, Any]:
    ring = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {"type": "Polygon", "coordinates": [ring]}


def _nested(depth: int) -> Any:
    value: Any = [1.0, 2.0]
    for _ in range(depth):
        value = [value]
    return value


def _collection(depth: int) -> Any:
    value: Any = {"type": "Point", "coordinates": [0.0, 0.0]}
    for _ in range(depth):
        value = {"type": "GeometryCollection", "geometries": [value]}
    return value


def _dumped(value: Any) -> str:
    return json.dumps(value)


def _area(content: bytes, sar: bytes) -> float | None:
    """Return the area in pixels inside the tile, if every feature is a plain valid polygon in map metres."""
    try:
        document = json.loads(content.decode("utf-8-sig")) if content.strip() else {"features": []}
        crs = (
            (document.get("crs") or {}).get("properties", {}).get("name", "") if content.strip() else "32631"
        )
        if not crs.endswith("32631"):
            return None
        transform = decoded(sar)[1]["transform"]
        tile = shapely.box(*(transform @ (0, SIDE_PX)), *(transform @ (SIDE_PX, 0)))
        area = 0.0
        for feature in document["features"]:
            if feature["geometry"] is None:
                continue
            if feature["geometry"]["type"] != "Polygon":
                return None
            polygon = shapely.force_2d(shape(feature["geometry"]))
            if not polygon.is_valid or polygon.is_empty or not polygon.area > 0:
                return None
            area += polygon.intersection(tile).area
    except Exception:
        return None
    return float(area / (transform.a * -transform.e))
