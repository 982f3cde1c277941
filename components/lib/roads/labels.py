"""Road labels of a tile: centre lines read from GeoJSON, and drawn as masks of road, centre and doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from components.lib.datasets.base import RoadLabels
from components.lib.geo.spans import Mask, draw_lines, segments_of
from components.lib.roads.graph.frame import Frame
from components.lib.roads.graph.geojson import read_geojson
from components.lib.tasks.labels import ROAD_LABELS

WIDTHS_M = (1.0, 60.0)
"""Stated widths beyond these count as unknown, metres."""


@dataclass(frozen=True, slots=True, eq=False)
class RoadLine:
    """One centre line.

    Attributes:
        line: In the CRS asked for.
        width_m: Width of the road as the label states it, metres; NaN where it does not.
        uncertain: True if nobody knows whether a road is to be seen there.
    """

    line: shapely.LineString
    width_m: float = math.nan
    uncertain: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RoadLines:
    """The roads of one tile as read from one file.

    Attributes:
        lines: Lines of at least two different points; a feature of several lines gives one for each.
        dropped: Features that are no lines; stop lines, points and features without geometry, which draw no
            road on purpose, are not counted.
    """

    lines: tuple[RoadLine, ...] = ()
    dropped: int = 0


def read_road_lines(content: bytes, name: str, crs: str, labels: RoadLabels) -> RoadLines:
    """Read the road labels of a tile.

    Args:
        content: The file's bytes; a file of no bytes is a tile without roads. Coordinates without a stated
            CRS are longitude and latitude (RFC 7946).
        name: File name, for messages.
        crs: ``EPSG:<code>`` or WKT that the lines are brought into.
        labels: Meaning of the properties.

    Raises:
        BadDataError: If the content is no GeoJSON feature collection, its CRS is unknown, or a coordinate
            cannot be transformed.
    """
    file = read_geojson(content, Path(name))
    roads = Frame(crs).roads(file, 1.0, 1.0)[""]
    lines: list[RoadLine] = []
    dropped = 0
    for road in roads:
        width, uncertain = _width_m(road.properties, labels), _is_uncertain(road.properties, labels)
        parts = [part for part in road.parts if len(np.unique(part, axis=0)) > 1]
        lines += [RoadLine(shapely.LineString(part), width, uncertain) for part in parts]
        dropped += not parts
    return RoadLines(tuple(lines), dropped)


def within_tile(
    roads: Sequence[RoadLine], transform: Affine, size: tuple[int, int]
) -> list[tuple[shapely.LineString, bool]]:
    """Return the parts of roads that lie on a tile, in pixels of its grid.

    Lines that cross stay without a vertex in common, and a line wholly inside keeps its coordinates.

    Args:
        roads: Lines in map coordinates.
        transform: From pixels of the grid to these, square pixels.
        size: Rows and columns.

    Returns:
        Each part, in the order of the roads, and whether its road is uncertain.
    """
    height, width = size
    found: list[tuple[shapely.LineString, bool]] = []
    for road, line in zip(roads, _in_pixels(roads, transform), strict=True):
        x_min, y_min, x_max, y_max = line.bounds
        inside = x_min >= 0 and y_min >= 0 and x_max <= width and y_max <= height
        parts = [line] if inside else shapely.get_parts(shapely.clip_by_rect(line, 0, 0, width, height))
        found += [(part, road.uncertain) for part in parts if part.geom_type == "LineString" and part.length]
    return found


def rasterise_roads(
    roads: Sequence[RoadLine],
    transform: Affine,
    size: tuple[int, int],
    *,
    half_width_m: float,
    own_widths: bool,
) -> npt.NDArray[np.uint8]:
    """Draw the label layers of one tile.

    A pixel is road where its centre lies within half the road's width of a centre line, ends round. Where a
    road that is certain and one that is not overlap, there is road.

    Args:
        roads: Lines in map coordinates.
        transform: From pixels of the grid to these, square pixels.
        size: Rows and columns.
        half_width_m: Distance from the line to the road's edge where no width is stated or used, metres.
        own_widths: True if stated widths are used.

    Returns:
        (rows, columns, 3) uint8, 0 or 1, channels ``ROAD_LABELS``.
    """
    masks = np.zeros((*size, len(ROAD_LABELS)), dtype=np.uint8)
    certain = [road for road in roads if not road.uncertain]
    masks[..., 0] = _bands(certain, transform, size, half_width_m, own_widths=own_widths)
    masks[..., 1] = _centres(certain, transform, size)
    doubtful = [road for road in roads if road.uncertain]
    band = _bands(doubtful, transform, size, half_width_m, own_widths=own_widths)
    masks[..., 2] = band & (masks[..., 0] == 0)
    return masks


def _bands(
    roads: Sequence[RoadLine],
    transform: Affine,
    size: tuple[int, int],
    half_width_m: float,
    *,
    own_widths: bool,
) -> Mask:
    stated = np.array([road.width_m / 2 for road in roads], dtype=np.float64)
    half_m = np.where(np.isfinite(stated) & own_widths, stated, half_width_m)
    ends, owner = segments_of(_in_pixels(roads, transform))
    return draw_lines(ends, half_m[owner] / abs(transform.a), *size)


def _centres(roads: Sequence[RoadLine], transform: Affine, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the pixels that lines run through, one wide."""
    if not roads:
        return np.zeros(size, dtype=np.uint8)
    drawn: npt.NDArray[np.uint8] = rasterize(
        list(_in_pixels(roads, transform)), out_shape=size, fill=0, default_value=1, dtype="uint8"
    )
    return drawn


def _in_pixels(roads: Sequence[RoadLine], transform: Affine) -> npt.NDArray[np.object_]:
    lines = np.array([road.line for road in roads], dtype=object)
    corner = np.array([transform.c, transform.f])
    pixels = shapely.transform(lines, lambda xy: (xy - corner) / [transform.a, transform.e])
    return np.asarray(pixels, dtype=object)


def _width_m(properties: Mapping[str, Any], labels: RoadLabels) -> float:
    """Return the stated width, or that of the stated lanes; NaN where there is none to believe."""
    for key, factor in ((labels.width_key, 1.0), (labels.lanes_key, labels.lane_m)):
        width = _number(properties.get(key)) * factor if key else math.nan
        if WIDTHS_M[0] <= width <= WIDTHS_M[1]:
            return width
    return math.nan


def _is_uncertain(properties: Mapping[str, Any], labels: RoadLabels) -> bool:
    return bool(labels.class_key) and properties.get(labels.class_key) in labels.uncertain


def _number(value: Any) -> float:  # noqa: ANN401 - whatever a stranger's JSON holds
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
