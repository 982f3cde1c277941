"""Widths of roads from the mask, and the speeds that are inferred from them.

The speeds are ours, by judgement, and not measured: docs/methods/road_graphs.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from components.lib.geo.vectorise import FOUR_CONNECTED
from components.lib.roads.graph.model import Floats
from components.lib.roads.tracing.mask import Mask

HALF_WIDTH_M: Final = 30.0
"""Largest half width that is measured, metres: wider ground is a square, not a road."""

SPEEDS: Final = ((4.0, 20.0), (7.0, 30.0), (10.0, 50.0), (16.0, 60.0), (np.inf, 80.0))
"""Speed in km/h of roads narrower than so many metres."""


def half_widths(road: Mask, skeleton: Mask, pixel_m: tuple[float, float]) -> Floats:
    """Return half of the road's width at each skeleton pixel in row-major order, metres, (N,).

    It is the distance to the nearest pixel that is no road, less half a pixel; at most ``HALF_WIDTH_M``.
    Ground beyond the raster counts as road. Only skeleton and rim are looked at, which takes less time and
    memory than the distance of every pixel.

    Args:
        road: (H, W).
        skeleton: (H, W), within ``road``.
        pixel_m: Size of a pixel along columns and along rows, metres.
    """
    sides = np.array(pixel_m[::-1])
    rim = ndimage.binary_dilation(road, structure=FOUR_CONNECTED) & ~road
    here = np.argwhere(skeleton) * sides
    distance = np.full(len(here), HALF_WIDTH_M)
    if len(here) and rim.any():
        found, _ = cKDTree(np.argwhere(rim) * sides).query(here, distance_upper_bound=HALF_WIDTH_M)
        distance = np.minimum(found, HALF_WIDTH_M)
    return np.maximum(distance - 0.5 * float(np.sqrt(sides.prod())), 0.5 * float(sides.min()))


def speeds_of(width_m: Floats) -> Floats:
    """Return the speed inferred from the width of each road, km/h, (E,)."""
    bounds, speeds = np.array(SPEEDS).T
    return np.asarray(speeds[np.searchsorted(bounds, width_m, side="right")])
