"""Building footprints as SpaceNet labels hold them: GeoJSON in map coordinates, CSV in pixels.

Published labels include empty files, empty geometries, bow-ties and multi-part polygons; reading repairs
what can be repaired, counts what was repaired or dropped, and refuses only what cannot be a label file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from components.contract.errors import BadDataError
from components.lib.foreign import judged, read_json_text
from components.lib.geo.crs import LON_LAT, move, same_crs, stated_crs
from components.lib.geo.geometries import geojson_geometry, repair
from components.lib.geo.wkt import parse_polygons
from components.lib.tables import read_table

_HEIGHT_KEYS = ("Mean_Building_Height", "mean_building_height", "height_m", "height")


@dataclass(frozen=True, slots=True)
class Footprint:
    """One building.

    Attributes:
        polygon: Valid, non-empty outline with its holes.
        height_m: Mean height in metres, NaN where unknown.
    """

    polygon: shapely.Polygon
    height_m: float = math.nan


@dataclass(frozen=True, slots=True)
class Labels:
    """The footprints of one tile as read from one file.

    Attributes:
        footprints: Valid polygons; a multi-part geometry gives one per part.
        crs: CRS of the coordinates as the file states it (``EPSG:<code>`` or WKT), None if it does not.
        repaired: Geometries that were invalid and have been repaired.
        dropped: Geometries without any area, with non-finite coordinates, or that are no geometry at all.
        empty: Empty or null geometries, the release's way to say "no building".
    """

    footprints: tuple[Footprint, ...] = ()
    crs: str | None = None
    repaired: int = 0
    dropped: int = 0
    empty: int = 0


def read_geojson(content: bytes, name: str) -> Labels:
    """Read a label file.

    Args:
        content: The file's bytes. A 0-byte file is a tile without buildings (docs/methods/spacenet6.md).
        name: File name, for messages.

    Returns:
        Footprints in the file's own coordinates.

    Raises:
        BadDataError: If the content is not a GeoJSON feature collection.
    """
    if not content.strip():
        return Labels()
    document = read_json_text(content, name)
    if not isinstance(document, Mapping) or not isinstance(document.get("features"), list):
        raise _bad(name, "is not a GeoJSON feature collection")
    with judged(name):
        return _collect(
            ((geojson_geometry(feature), _height(feature)) for feature in document["features"]),
            crs=stated_crs(document, name),
        )


def read_building_csv(content: bytes, name: str) -> dict[str, Labels]:
    """Read a SpaceNet summary CSV.

    Args:
        content: The file's bytes: ``ImageId``, ``PolygonWKT_Pix`` and, where known, ``Mean_Building_Height``.
        name: File name, for messages.

    Returns:
        Labels by image id, in pixels of the tile's own raster; a tile whose only row is ``POLYGON EMPTY``
        is present with no footprint, which is how the release says that a tile holds no building. A row that
        cannot be read (curved or other geometry, other number of fields) counts as dropped for its tile, or
        under the id "" where it names none.

    Raises:
        BadDataError: If the content is no such table.
    """
    table = read_table(content, name)
    image, wkt = table.require(("ImageId", "PolygonWKT_Pix"))
    height = next((i for key in _HEIGHT_KEYS if (i := table.find(key)) is not None), None)
    even = [len(row.fields) == len(table.header) for row in table.rows]
    texts = [row.fields[wkt] if good else "" for row, good in zip(table.rows, even, strict=True)]
    parsed = parse_polygons(texts)
    tiles: dict[str, list[tuple[BaseGeometry | None, float]]] = {}
    for row, good, geometry in zip(table.rows, even, parsed.geometry, strict=True):
        height_m = _metres(row.fields[height]) if good and height is not None else math.nan
        image_id = row.fields[image].strip() if image < len(row.fields) else ""
        tiles.setdefault(image_id, []).append((geometry, height_m))
    return {image_id: _collect(rows, crs=None) for image_id, rows in tiles.items()}


def to_crs(labels: Labels, crs: str, name: str) -> Labels:
    """Bring labels into the raster's CRS.

    Args:
        labels: As read. Labels that state no CRS are taken to be in ``crs`` already, unless every
            coordinate could be a longitude and latitude, which is what RFC 7946 says they are then.
        crs: ``EPSG:<code>`` or WKT of the raster.
        name: File name, for messages.

    Raises:
        BadDataError: If a CRS is unknown or not horizontal, or a coordinate cannot be transformed.
    """
    stated = labels.crs or (LON_LAT if _could_be_lon_lat(labels.footprints) else crs)
    if not labels.footprints or same_crs(stated, crs, name):
        return labels
    moved = tuple(
        Footprint(shapely.transform(f.polygon, lambda xy: move(xy, stated, crs, name)), f.height_m)
        for f in labels.footprints
    )
    return replace(labels, footprints=moved, crs=crs)


def to_pixels(polygon: shapely.Polygon, transform: Affine) -> shapely.Polygon:
    """Map coordinates to pixel coordinates: x right, y down, (0, 0) the outer corner of the first pixel.

    Args:
        polygon: In the CRS that ``transform`` leads to.
        transform: Pixel to CRS coordinates.
    """
    inverse = ~transform
    return shapely.transform(
        polygon,
        lambda xy: np.column_stack(
            (
                inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c,
                inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f,
            )
        ),
    )


def clip(polygon: shapely.Polygon, height: int, width: int) -> list[shapely.Polygon]:
    """Return the parts of a pixel-coordinate polygon that lie on a raster of ``height`` x ``width`` pixels.

    A polygon wholly inside is returned untouched, so that its coordinates stay bit-identical.
    """
    x_min, y_min, x_max, y_max = polygon.bounds
    if x_min >= 0 and y_min >= 0 and x_max <= width and y_max <= height:
        return [polygon]
    return repair(shapely.intersection(polygon, shapely.box(0, 0, width, height)))[0]


def _collect(items: Iterable[tuple[BaseGeometry | None, float]], crs: str | None) -> Labels:
    footprints: list[Footprint] = []
    repaired = dropped = empty = 0
    for geometry, height_m in items:
        parts, needed = repair(geometry)
        footprints += [Footprint(part, height_m) for part in parts]
        repaired += needed and bool(parts)
        # An EMPTY geometry is the release's way to say "no building", not a damaged one.
        nothing = geometry is not None and geometry.is_empty
        empty += nothing
        dropped += not parts and not nothing
    return Labels(tuple(footprints), crs, repaired, dropped, empty)


def _height(feature: Any) -> float:  # noqa: ANN401 - whatever a stranger's JSON holds
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    if not isinstance(properties, Mapping):
        return math.nan
    heights = (_metres(properties[key]) for key in _HEIGHT_KEYS if key in properties)
    return next((height for height in heights if not math.isnan(height)), math.nan)


def _metres(value: Any) -> float:  # noqa: ANN401 - whatever a stranger's file holds
    """Return a height, NaN for anything that is no finite number."""
    try:
        height = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return height if math.isfinite(height) else math.nan


def _could_be_lon_lat(footprints: tuple[Footprint, ...]) -> bool:
    if not footprints:
        return False
    xy = shapely.get_coordinates([f.polygon for f in footprints])
    return bool((np.abs(xy) <= (180.0, 90.0)).all())


def _bad(name: str, what: str) -> BadDataError:
    return BadDataError(f"{name} {what}", next_step="fetch the file again, or leave the tile out")
