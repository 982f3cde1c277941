"""Labels as the release writes them: GeoJSON for each tile, and one summary CSV in pixel coordinates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from rasterio.features import shapes
from rasterio.transform import from_origin
from shapely.geometry.base import BaseGeometry

from components.simulation.frame import Frame, Mask
from components.simulation.noise import uniform_at
from components.simulation.objects import Objects
from components.simulation.streets import Street

CSV_HEADER = (
    "ImageId,TileBuildingId,PolygonWKT_Pix,Mean_Building_Height,Median_Building_Height,StdDev_Building_Height"
)
MIN_AREA_M2 = 0.5
"""Slivers that the border of the imaged ground leaves are not labelled."""
UNKNOWN_HEIGHT = 0.03
"""Share of buildings without a measured height, as in the real release."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """One building in one tile: its polygon cut to the imaged ground, EPSG:32631, and its height figures."""

    polygon: shapely.Polygon
    mean: float
    median: float
    deviation: float


def imaged_ground(imaged: Mask, frame: Frame) -> BaseGeometry:
    """Return the ground that pixels cover, EPSG:32631, bounded by the pixels' own borders.

    Args:
        imaged: Pixels with data, (rows, cols) of ``frame``.
        frame: Place of the raster.
    """
    transform = from_origin(frame.x_left, frame.y_top, frame.gsd, frame.gsd)
    found = shapes(imaged.astype(np.uint8), mask=imaged, transform=transform)
    ground: BaseGeometry = shapely.union_all([shapely.geometry.shape(outline) for outline, _ in found])
    return ground


def footprints_in(objects: Objects, ground: BaseGeometry) -> list[Footprint]:
    """Return the footprints within a tile's imaged ground, cut at its border, in a stable order.

    The release labels no building where the radar has no data (0 of 25,637 building pixels of its sample).
    """
    hits = np.flatnonzero(shapely.intersects(objects.polygons, ground))
    found: list[Footprint] = []
    for k, cut in zip(hits, shapely.intersection(objects.polygons[hits], ground), strict=True):
        centre = shapely.centroid(objects.polygons[k])
        draw = uniform_at(np.array([centre.x]), np.array([centre.y]), 41)[0]
        figures = (np.nan,) * 3 if draw < UNKNOWN_HEIGHT else objects.heights[k]
        parts = [p for p in shapely.get_parts(cut) if isinstance(p, shapely.Polygon)]
        found += [Footprint(p, *map(float, figures)) for p in parts if p.area >= MIN_AREA_M2]
    return sorted(found, key=lambda f: (-f.polygon.bounds[3], f.polygon.bounds[0]))


def geojson(footprints: list[Footprint]) -> bytes:
    """Write the tile's label file: a FeatureCollection whose ``crs`` member says EPSG:32631."""
    features = [
        {
            "type": "Feature",
            "properties": {"TileBuildingId": number, "Mean_Building_Height": _json_number(f.mean)},
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    np.round(np.asarray(ring.coords), 4).tolist()
                    for ring in (f.polygon.exterior, *f.polygon.interiors)
                ],
            },
        }
        for number, f in enumerate(footprints)
    ]
    return _collection(features)


def road_geojson(streets: list[Street], frame: Frame) -> bytes:
    """Write the tile's road labels: centre lines with name, class and width in metres, EPSG:32631.

    A line is kept as far as its surface may lie in the tile, so that drawn widths are whole at its border.
    """
    tile = shapely.box(*frame.bounds)
    features = []
    for street in streets:
        reached = shapely.intersection(street.line, tile.buffer(street.width_m / 2, join_style="mitre"))
        for part in shapely.get_parts(reached):
            if isinstance(part, shapely.LineString) and part.length > 0:
                properties = {"name": street.name, "class": street.kind.value, "width_m": street.width_m}
                line = np.round(np.asarray(part.coords), 4).tolist()
                geometry = {"type": "LineString", "coordinates": line}
                features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return _collection(features)


def _collection(features: list[dict[str, Any]]) -> bytes:
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}},
        "features": features,
    }
    return json.dumps(document).encode()


def csv_rows(image_id: str, footprints: list[Footprint], frame: Frame) -> str:
    """Write the tile's lines of the summary CSV; polygons in pixels of the tile, rows downwards."""
    if not footprints:
        return f"{image_id},0,POLYGON EMPTY,,,\n"
    lines = []
    for number, f in enumerate(footprints):
        wkt = shapely.to_wkt(to_pixels(f.polygon, frame), rounding_precision=3)
        figures = ",".join("" if np.isnan(v) else f"{v:.3f}" for v in (f.mean, f.median, f.deviation))
        lines.append(f'{image_id},{number},"{wkt}",{figures}\n')
    return "".join(lines)


def to_pixels(polygon: shapely.Polygon, frame: Frame) -> shapely.Polygon:
    """Return a polygon in pixels of ``frame``: x to the right, y down, (0, 0) the upper-left corner."""
    pixels: shapely.Polygon = shapely.transform(
        polygon, lambda xy: (xy - [frame.x_left, frame.y_top]) * [1.0, -1.0] / frame.gsd
    )
    return pixels


def _json_number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 3)
