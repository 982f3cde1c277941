"""Masks of three values on the grids of tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.geo.grid import Grid
from components.lib.geo.spans import Float, Mask, draw_lines, draw_polygons, segments_of
from components.lib.osm.features import Features, Found
from components.lib.osm.ground import Ground
from components.lib.osm.terms import BACKGROUND, IGNORE, OBJECT

CLOSED_PX = 3
"""Side of the square by which no-data is closed: single valid pixels in it say nothing."""

MOST_UNCERTAIN_M2 = 100_000.0
"""Larger hulls of broken outlines are left out: one lost member must not hide a district."""


@dataclass(frozen=True, slots=True, eq=False)
class _Straight:
    """Straight pieces of one kind of object, in metres of the tiles' CRS, with the number of their object."""

    ends: Float
    owner: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What was drawn of a tile.

    Attributes:
        mask: (H, W) uint8 of ``BACKGROUND``, ``IGNORE``, ``OBJECT``; north-up.
        objects: Number of certain objects whose box meets the tile.
        length_m: Length of the certain lines inside of the tile, metres.
        covered: (H, W) bool, where the extract is complete.
    """

    mask: npt.NDArray[np.uint8]
    objects: int
    length_m: float
    covered: Mask


class Canvas:
    """All objects of a task, ready to be drawn on any tile.

    Args:
        found: Objects in longitude and latitude. What is left out here is counted there.
        covered: Ground inside of which the extract is complete, in longitude and latitude.
        ground: The tiles.
        name: Name of the extract, for messages.
        min_area_m2: Smaller polygons are left out, by the area of the whole, square metres.
    """

    def __init__(
        self, found: Found, covered: shapely.Polygon, ground: Ground, name: str, *, min_area_m2: float
    ) -> None:
        features = _large(found.features().in_crs(ground.crs, name), found, min_area_m2)
        self._features = features
        self._objects, tiles = ground.pairs(features.geometry)
        self._begins = np.searchsorted(tiles, np.arange(len(ground.bounds) + 1))
        self._straight = _Straight(*segments_of(features.geometry))
        self._firsts = np.searchsorted(self._straight.owner, np.arange(len(features) + 1))
        outline = np.array([shapely.segmentize(covered, 0.05)], dtype=object)
        area = Features(outline, np.zeros(1), np.ones(1, dtype=bool)).in_crs(ground.crs, name)
        self._covered = area.geometry[0]
        shapely.prepare(self._covered)
        self._coverage = _Straight(*segments_of(area.geometry))

    def __len__(self) -> int:
        return len(self._features)

    def draw(self, tile: int, grid: Grid, nodata: Mask) -> Drawing:
        """Draw one tile.

        Args:
            tile: Its number among the ground's.
            grid: Its grid.
            nodata: (H, W) bool, where the image has no data; north-up.

        Returns:
            The mask. What is certain is drawn over what is not; where the image has no data, and outside of
            the coverage, everything is ``IGNORE``.
        """
        numbers = self._objects[self._begins[tile] : self._begins[tile + 1]]
        certain = self._features.certain[numbers]
        mask = np.full((grid.height, grid.width), BACKGROUND, dtype=np.uint8)
        for drawn, value in ((numbers[~certain], IGNORE), (numbers[certain], OBJECT)):
            if len(drawn):
                mask[self._drawn(drawn, grid)] = value
        whole = self._whole(grid)
        mask[~whole] = IGNORE
        mask[_closed(nodata)] = IGNORE
        length_m = self._length_m(numbers[certain], grid)
        return Drawing(mask, int(certain.sum()), length_m, whole)

    def _sides(self, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        counts = self._firsts[numbers + 1] - self._firsts[numbers]
        offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(self._firsts[numbers], counts) + offset)

    def _drawn(self, numbers: npt.NDArray[np.intp], grid: Grid) -> Mask:
        width_m = self._features.width_m
        surface = self._surface(numbers)
        sides = self._sides(numbers[~surface])
        radius = width_m[self._straight.owner[sides]] / 2 / grid.gsd_m
        drawn = np.zeros((grid.height, grid.width), dtype=bool)
        if len(sides):
            drawn |= draw_lines(_pixels(self._straight.ends[sides], grid), radius, grid.height, grid.width)
        sides = self._sides(numbers[surface])
        if len(sides):
            ends, owner = _pixels(self._straight.ends[sides], grid), self._straight.owner[sides]
            drawn |= draw_polygons(ends, owner, grid.height, grid.width)
        return drawn

    def _whole(self, grid: Grid) -> Mask:
        east, south = grid.transform @ (grid.width, grid.height)
        if self._covered.contains(shapely.box(grid.x_left_m, south, east, grid.y_top_m)):
            return np.ones((grid.height, grid.width), dtype=bool)
        ends = _pixels(self._coverage.ends, grid)
        return draw_polygons(ends, self._coverage.owner, grid.height, grid.width)

    def _surface(self, numbers: npt.NDArray[np.intp]) -> Mask:
        kind = shapely.get_type_id(self._features.geometry[numbers])
        return np.asarray(kind == shapely.GeometryType.POLYGON)

    def _length_m(self, numbers: npt.NDArray[np.intp], grid: Grid) -> float:
        lines = self._features.geometry[numbers[~self._surface(numbers)]]
        east, south = grid.transform @ (grid.width, grid.height)
        inside = shapely.clip_by_rect(lines, grid.x_left_m, south, east, grid.y_top_m)
        return float(shapely.length(inside).sum())


def _large(features: Features, found: Found, min_area_m2: float) -> Features:
    """Leave out small polygons, and large ones of which nobody knows the outline; count both."""
    area = shapely.area(features.geometry)
    surface = shapely.get_type_id(features.geometry) == shapely.GeometryType.POLYGON
    small = surface & features.certain & (area < min_area_m2)
    vast = surface & ~features.certain & (area > MOST_UNCERTAIN_M2)
    found.leave_out("smaller than the least area", int(small.sum()))
    found.leave_out("broken outline of a vast object", int(vast.sum()))
    return features.take(~small & ~vast)


def _closed(nodata: Mask) -> Mask:
    """Close no-data by a square of ``CLOSED_PX``; beyond the border it goes on as it is there."""
    if not nodata.any():
        return nodata
    grown = np.pad(nodata, 2 * (CLOSED_PX // 2), mode="edge")
    for merge in (np.logical_or, np.logical_and):
        for axis in (0, 1):
            windows = np.lib.stride_tricks.sliding_window_view(grown, CLOSED_PX, axis=axis)
            grown = merge.reduce([windows[..., i] for i in range(CLOSED_PX)])
    return np.asarray(grown)


def _pixels(ends: Float, grid: Grid) -> Float:
    """Return map coordinates (S, 4) as pixels of ``grid``."""
    origin = np.array([grid.x_left_m, grid.y_top_m] * 2)
    return np.asarray((ends - origin) / (np.array([1.0, -1.0] * 2) * grid.gsd_m))
