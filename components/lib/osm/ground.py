"""Ground of the tiles: which objects of a country's extract meet it, and which meet which tile."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.geo.crs import LON_LAT, move
from components.lib.osm.features import Geometries
from components.lib.osm.terms import MOST_WIDTH_M

Bounds = npt.NDArray[np.float64]
"""(T, 4) west, south, east, north of tiles in metres of their CRS."""

MARGIN_M = MOST_WIDTH_M
"""Distance up to which an object beside a tile still reaches into it: half the widest road, twice."""

_DEGREE_M = 110_500.0
"""Least length of a degree of latitude, metres."""

_STEPS = 5
"""Points on each side of a tile that are taken to degrees, as sides are curved there."""


class Ground:
    """Rectangles of tiles in one projected CRS.

    Args:
        bounds: (T, 4), see :data:`Bounds`.
        crs: ``EPSG:<code>`` or WKT.
    """

    def __init__(self, bounds: Bounds, crs: str) -> None:
        self.bounds, self.crs = bounds, crs
        boxes = _degrees(bounds, crs)
        self._tree = shapely.STRtree(boxes)
        west, south, east, north = shapely.total_bounds(boxes).tolist()
        self.degrees = (west, south, east, north)
        """Box around all tiles in longitude and latitude, with a margin."""

    def meets(self, geometry: Geometries) -> npt.NDArray[np.bool_]:
        """Return which geometries may meet a tile, (N,): by their boxes in longitude and latitude.

        A geometry from one side of the antimeridian to the other has a box around the whole Earth, and meets
        all tiles of its latitudes; :meth:`pairs` tells then.
        """
        met = np.zeros(len(geometry), dtype=bool)
        met[self._tree.query(geometry)[0]] = True
        return met

    def pairs(self, geometry: Geometries) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return numbers of geometries (in the tiles' CRS) and of tiles whose boxes meet, sorted by tile."""
        objects, tiles = self._tiles.query(geometry)
        order = np.lexsort((objects, tiles))
        return objects[order], tiles[order]

    @cached_property
    def _tiles(self) -> shapely.STRtree:
        west, south, east, north = self.bounds.T
        boxes = shapely.box(west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M)
        return shapely.STRtree(boxes)


def _degrees(bounds: Bounds, crs: str) -> Geometries:
    """Return the tiles' boxes in longitude and latitude with a margin; two where one crosses 180 degrees."""
    west, south, east, north = bounds.T
    steps = np.linspace(0.0, 1.0, _STEPS)
    x = west[:, None] + (east - west)[:, None] * steps
    y = south[:, None] + (north - south)[:, None] * steps
    grid_x = np.repeat(x, _STEPS, axis=1).ravel()
    grid_y = np.tile(y, (1, _STEPS)).ravel()
    moved = move(np.column_stack((grid_x, grid_y)), crs, LON_LAT, "the tiles")
    lon, lat = moved[:, 0].reshape(len(bounds), -1), moved[:, 1].reshape(len(bounds), -1)
    wide = np.ptp(lon, axis=1) > 180.0
    low = np.where(wide, np.where(lon > 0, lon, 180.0).min(axis=1), lon.min(axis=1))
    high = np.where(wide, 180.0, lon.max(axis=1))
    lat_margin = MARGIN_M / _DEGREE_M
    lon_margin = lat_margin / np.maximum(np.cos(np.radians(np.abs(lat).max(axis=1))), 0.01)
    bottom, top = lat.min(axis=1) - lat_margin, lat.max(axis=1) + lat_margin
    boxes = shapely.box(low - lon_margin, bottom, high + lon_margin, top)
    if not wide.any():
        return np.asarray(boxes, dtype=object)
    beyond = np.where(lon < 0, lon, -180.0).max(axis=1)
    others = shapely.box(np.full(wide.sum(), -180.0), bottom[wide], (beyond + lon_margin)[wide], top[wide])
    return np.concatenate([boxes, others])
