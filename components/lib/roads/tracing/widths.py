"""Widths of roads from the mask, and the speeds that are inferred from them.

The speeds are ours, by judgement, and not measured: docs/methods/road_graphs.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from components.lib.mapping.blocks import Blocks, Box
from components.lib.roads.graph.model import Floats
from components.lib.roads.tracing.mask import Mask

HALF_WIDTH_M: Final = 30.0
"""Largest half width that is measured, metres: wider ground is a square, not a road."""

SPEEDS: Final = ((4.0, 20.0), (7.0, 30.0), (10.0, 50.0), (16.0, 60.0), (np.inf, 80.0))
"""Speed in km/h of roads narrower than so many metres."""

_SIDE_PX: Final = 1024


def half_widths(road: Mask, skeleton: Mask, pixel_m: tuple[float, float]) -> Floats:
    """Return half of the road's width at each skeleton pixel in row-major order, metres, (N,).

    It is the distance to the nearest pixel that is no road, less half a pixel; at most ``HALF_WIDTH_M``. The
    distance is taken block by block with margins as wide as that, so memory does not grow with the raster
    and the blocks change no value. Ground beyond the raster counts as road.

    Args:
        road: (H, W).
        skeleton: (H, W), within ``road``.
        pixel_m: Size of a pixel along columns and along rows, metres.
    """
    found = np.zeros(road.shape, dtype=np.float32)
    columns, rows = (int(np.ceil(HALF_WIDTH_M / side)) + 1 for side in pixel_m)
    height, width = road.shape
    blocks = Blocks(road.shape, _SIDE_PX)
    for number in range(len(blocks)):
        box = blocks.box(number)
        inner = box.within(Box(0, 0, height, width))
        if not skeleton[inner].any():
            continue
        wide = Box(
            max(0, box.top - rows),
            max(0, box.left - columns),
            min(height, box.bottom + rows),
            min(width, box.right + columns),
        )
        found[inner] = _distances(road[wide.within(Box(0, 0, height, width))], pixel_m)[box.within(wide)]
    half: Floats = found[skeleton].astype(np.float64) - 0.5 * float(np.sqrt(pixel_m[0] * pixel_m[1]))
    return np.maximum(half, 0.5 * min(pixel_m))


def speeds_of(width_m: Floats) -> Floats:
    """Return the speed inferred from the width of each road, km/h, (E,)."""
    bounds, speeds = np.array(SPEEDS).T
    return np.asarray(speeds[np.searchsorted(bounds, width_m, side="right")])


def _distances(road: Mask, pixel_m: tuple[float, float]) -> Floats:
    if road.all():  # without any other pixel the transform is undefined
        return np.full(road.shape, HALF_WIDTH_M)
    distance = ndimage.distance_transform_edt(road, sampling=pixel_m[::-1])
    return np.minimum(distance, HALF_WIDTH_M)
