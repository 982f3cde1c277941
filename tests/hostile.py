"""Builders of hostile and odd files as the wild holds them, for the readers' tests and for the campaign.

Every builder returns the bytes of one file; what a reader has to do with it is the test's matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine

UTM = "urn:ogc:def:crs:EPSG::32631"

Ring = list[list[float]]


def tiff(
    pixels: npt.NDArray[Any],
    transform: Affine,
    *,
    crs: str | None = "EPSG:32631",
    nodata: float | None = None,
    descriptions: Sequence[str] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    mask: npt.NDArray[Any] | None = None,
    colours: Sequence[Any] | None = None,
) -> bytes:
    """A GeoTIFF of (C, H, W) pixels with everything a header can say beside them."""
    bands, height, width = pixels.shape
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            count=bands,
            height=height,
            width=width,
            dtype=pixels.dtype,
            transform=transform,
            crs=crs,
            nodata=nodata,
        ) as dataset:
            dataset.write(pixels)
            if descriptions is not None:
                dataset.descriptions = tuple(descriptions)
            if scale is not None:
                dataset.scales = (scale,) * bands
            if offset is not None:
                dataset.offsets = (offset,) * bands
            if mask is not None:
                dataset.write_mask(mask)
            if colours is not None:
                dataset.colorinterp = tuple(colours)
        return bytes(memory.read())


def geojson(*geometries: Any, crs: Any = UTM, properties: Any = None) -> bytes:
    """A feature collection; ``crs`` is the name that its crs member states, None for no such member."""
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": properties, "geometry": g} for g in geometries],
    }
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    return json.dumps(document).encode()


def polygon(*rings: Any) -> dict[str, Any]:
    """A GeoJSON polygon of any rings."""
    return {"type": "Polygon", "coordinates": list(rings)}


def square(x: float, y: float, side: float = 4.0) -> Ring:
    """The closed ring of a square whose north-west corner is (x, y)."""
    return [[x, y], [x + side, y], [x + side, y - side], [x, y - side], [x, y]]


def nested(value: Any, depth: int) -> Any:
    """``value`` in ``depth`` lists."""
    for _ in range(depth):
        value = [value]
    return value


def tangled(corners: int) -> Ring:
    """A star that crosses itself about ``corners`` ** 2 / 4 times."""
    return [[float((i * (corners // 2 - 1)) % corners), float((i * i) % corners)] for i in range(corners)]


def odd_labels(x: float, y: float) -> dict[str, tuple[bytes, bool]]:
    """Label files of a tile that holds the map point (x, y), and whether each can be used."""
    ring = square(x, y)
    three = [[*position, 3.5] if i == 0 else position for i, position in enumerate(ring)]
    four = [[*position, 3.5, 0.0] for position in ring]
    good = polygon(ring)
    return {
        "metres under CRS84": (geojson(good, crs="urn:ogc:def:crs:OGC:1.3:CRS84"), False),
        "metres under EPSG:4326": (geojson(good, crs="EPSG:4326"), False),
        "xy and xyz in one ring": (geojson(polygon(three)), True),
        "xyzm": (geojson(polygon(four)), True),
        "nested 500 deep": (geojson(polygon(nested(ring, 500))), False),
        "CRS with NUL": (geojson(good, crs="EPSG:32631\0"), False),
        "vertical CRS": (geojson(good, crs="urn:ogc:def:crs:EPSG::5709"), False),
        "compound CRS": (geojson(good, crs="urn:ogc:def:crs:EPSG::7415"), False),
        "geocentric CRS": (geojson(good, crs="EPSG:4978"), False),
        "unknown code": (geojson(good, crs="urn:ogc:def:crs:EPSG::999999"), False),
        "CRS that names a file": (geojson(good, crs="/etc/hostname"), False),
        "CRS that names an address": (geojson(good, crs="http://localhost:9/crs"), False),
        "CRS of 1 MB": (geojson(good, crs="PROJCS[" * 150_000), False),
        "CRS member of another type": (geojson(good, crs=[32631]), False),
        "coordinates as text": (geojson(polygon([[str(a), str(b)] for a, b in ring])), False),
        "coordinates true": (geojson(polygon([[True, False]] * 4)), False),
        "NaN coordinate": (geojson(polygon([[float("nan"), y], *ring[1:]])), False),
        "infinite coordinate": (geojson(polygon([[float("inf"), y], *ring[1:]])), False),
        "huge coordinate": (geojson(polygon([[1e300, y], *ring[1:]])), False),
        "huge integer": (geojson(polygon([[10**400, y], *ring[1:]])), False),
        "position of one number": (geojson(polygon([[x], *ring[1:]])), False),
        "features null": (b'{"type": "FeatureCollection", "features": null}', False),
        "features of numbers": (b'{"type": "FeatureCollection", "features": [1, null, "a"]}', False),
        "geometry a list": (geojson([1, 2]), False),
        "collection in collection": (geojson(_collections(good, 3)), True),
        "collection 200 deep": (geojson(_collections(good, 200)), False),
        "height beyond float": (geojson(good, properties={"height": 10**400}), True),
        "height infinite": (geojson(good, properties={"height": float("inf")}), True),
        "byte order mark": (b"\xef\xbb\xbf" + geojson(good), True),
        "Windows line ends": (geojson(good).replace(b", ", b",\r\n"), True),
        "UTF-16": (geojson(good).decode().encode("utf-16"), False),
        "cp1252": (geojson(good).replace(b'"Feature"', '"Füture"'.encode("cp1252")), False),
        "20,000 square kilometres": (geojson(polygon(square(x - 70_000, y + 70_000, 141_000))), False),
        "tangled ring": (geojson(polygon([[x + a / 500, y - b / 500] for a, b in tangled(400)])), False),
        "null geometry": (geojson(None), True),
    }


def _collections(geometry: Any, depth: int) -> Any:
    for _ in range(depth):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    return geometry


NAN_TRANSFORMS: tuple[Callable[[Affine], Affine], ...] = (
    lambda t: Affine(t.a, 0, float("nan"), 0, t.e, t.f),
    lambda t: Affine(t.a, 0, t.c, 0, t.e, float("nan")),
    lambda t: Affine(float("nan"), 0, t.c, 0, t.e, t.f),
    lambda t: Affine(t.a, 0, t.c, 0, t.e, float("inf")),
)
"""Transforms with a coefficient that is no number, made from a good one."""

ODD_TRANSFORMS: tuple[Callable[[Affine], Affine], ...] = (
    *NAN_TRANSFORMS,
    lambda t: Affine(t.a * 1e-9, 0, t.c, 0, t.e * 1e-9, t.f),
    lambda t: Affine(t.a * 1e9, 0, t.c, 0, t.e * 1e9, t.f),
    lambda t: t @ Affine.rotation(30),
    lambda t: Affine(t.a, 0, 1e300, 0, t.e, t.f),
)
"""Transforms on which no tile can lie."""
