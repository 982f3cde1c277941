"""Building footprints as SpaceNet labels hold them: GeoJSON in map coordinates, CSV in pixels.

Published labels include empty files, empty geometries, bow-ties and multi-part polygons; reading repairs
what can be repaired, counts what was repaired or dropped, and refuses only what cannot be a label file.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine
from rasterio.warp import transform as reproject
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from components.contract.errors import BadDataError

_LON_LAT = "EPSG:4326"
_CRS_URN = re.compile(r"EPSG:(?P<version>[^:]*):(?P<code>\d+)$")
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
    """

    footprints: tuple[Footprint, ...] = ()
    crs: str | None = None
    repaired: int = 0
    dropped: int = 0


def repair(geometry: BaseGeometry | None) -> tuple[list[shapely.Polygon], bool]:
    """Return the polygons in ``geometry``, made valid.

    Args:
        geometry: Anything shapely holds, or None.

    Returns:
        Valid polygons with an area above 0, two-dimensional, and whether a repair was needed. A bow-tie
        becomes its two lobes (``make_valid``; ``buffer(0)`` would lose one of them).
    """
    if geometry is None or geometry.is_empty:
        return [], False
    flat = shapely.force_2d(geometry)
    if not np.isfinite(shapely.get_coordinates(flat)).all():
        return [], False
    needed = not flat.is_valid
    parts = shapely.get_parts(shapely.make_valid(flat) if needed else flat)
    while any(part.geom_type in ("MultiPolygon", "GeometryCollection") for part in parts):
        parts = shapely.get_parts(parts)
    return [part for part in parts if isinstance(part, shapely.Polygon) and part.area > 0.0], needed


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
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad(name, f"is not JSON: {error}") from error
    if not isinstance(document, Mapping) or not isinstance(document.get("features"), list):
        raise _bad(name, "is not a GeoJSON feature collection")
    return _collect(
        ((_geometry(feature), _height(feature)) for feature in document["features"]),
        crs=_stated_crs(document, name),
    )


def read_building_csv(content: bytes, name: str) -> dict[str, Labels]:
    """Read a SpaceNet summary CSV.

    Args:
        content: The file's bytes: ``ImageId``, ``PolygonWKT_Pix`` and, where known, ``Mean_Building_Height``.
        name: File name, for messages.

    Returns:
        Labels by image id, in pixels of the tile's own raster; a tile whose only row is ``POLYGON EMPTY``
        is present with no footprint, which is how the release says that a tile holds no building.

    Raises:
        BadDataError: If the content is no such table.
    """
    try:
        table = pd.read_csv(io.BytesIO(content), dtype={"ImageId": str, "PolygonWKT_Pix": str})
    except (ValueError, pd.errors.ParserError) as error:
        raise _bad(name, f"is not a CSV table: {error}") from error
    missing = {"ImageId", "PolygonWKT_Pix"} - set(table.columns)
    if missing:
        raise _bad(name, f"lacks the columns {', '.join(sorted(missing))}")
    table["geometry"] = shapely.from_wkt(table["PolygonWKT_Pix"].fillna("").to_numpy(object), "ignore")
    column = next((c for c in _HEIGHT_KEYS if c in table.columns), None)
    table["height_m"] = math.nan if column is None else pd.to_numeric(table[column], errors="coerce")
    return {
        str(image_id): _collect(zip(rows["geometry"], rows["height_m"], strict=True), crs=None)
        for image_id, rows in table.groupby("ImageId", sort=False)
    }


def to_crs(labels: Labels, crs: str, name: str) -> Labels:
    """Bring labels into the raster's CRS.

    Args:
        labels: As read. Labels that state no CRS are taken to be in ``crs`` already, unless every
            coordinate could be a longitude and latitude, which is what RFC 7946 says they are then.
        crs: ``EPSG:<code>`` or WKT of the raster.
        name: File name, for messages.

    Raises:
        BadDataError: If a CRS is unknown or a coordinate cannot be transformed.
    """
    stated = labels.crs or (_LON_LAT if _could_be_lon_lat(labels.footprints) else crs)
    try:
        if not labels.footprints or CRS.from_user_input(stated) == CRS.from_user_input(crs):
            return labels
        moved = tuple(
            Footprint(shapely.transform(f.polygon, lambda xy: _move(xy, stated, crs)), f.height_m)
            for f in labels.footprints
        )
    except CRSError as error:
        raise _bad(name, f"is in an unknown CRS: {error}") from error
    if not all(np.isfinite(f.polygon.bounds).all() for f in moved):
        raise _bad(name, f"has coordinates that {stated} cannot hold")
    return Labels(moved, crs, labels.repaired, labels.dropped)


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
    repaired = dropped = 0
    for geometry, height_m in items:
        parts, needed = repair(geometry)
        footprints += [Footprint(part, height_m) for part in parts]
        repaired += needed and bool(parts)
        # An EMPTY geometry is the release's way to say "no building", not a damaged one.
        dropped += not parts and not (geometry is not None and geometry.is_empty)
    return Labels(tuple(footprints), crs, repaired, dropped)


def _geometry(feature: Any) -> BaseGeometry | None:  # noqa: ANN401 - whatever a stranger's JSON holds
    """Return the feature's geometry; None where there is nothing that can be read as one."""
    try:
        geometry = feature["geometry"]
        with np.errstate(invalid="ignore"):  # NaN coordinates are dropped by repair, not worth a warning
            return shapely.Polygon() if geometry is None else shape(geometry)
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def _height(feature: Any) -> float:  # noqa: ANN401 - whatever a stranger's JSON holds
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    if not isinstance(properties, Mapping):
        return math.nan
    for key in _HEIGHT_KEYS:
        try:
            return float(properties[key])
        except (KeyError, TypeError, ValueError):
            continue
    return math.nan


def _stated_crs(document: Mapping[str, Any], name: str) -> str | None:
    match document.get("crs"):
        case None:
            return None
        case {"properties": {"name": str(stated)}}:
            pass
        case _:
            raise _bad(name, "has a crs member without a name")
    if stated.endswith("CRS84"):
        return _LON_LAT
    match = _CRS_URN.search(stated)
    return f"EPSG:{match['code']}" if match else stated


def _could_be_lon_lat(footprints: tuple[Footprint, ...]) -> bool:
    if not footprints:
        return False
    xy = shapely.get_coordinates([f.polygon for f in footprints])
    return bool((np.abs(xy) <= (180.0, 90.0)).all())


def _move(xy: npt.NDArray[np.float64], source: str, target: str) -> npt.NDArray[np.float64]:
    x, y = reproject(source, target, xy[:, 0].tolist(), xy[:, 1].tolist())
    return np.column_stack((x, y))


def _bad(name: str, what: str) -> BadDataError:
    return BadDataError(f"{name} {what}", next_step="fetch the file again, or leave the tile out")
