"""Cleaned mask and its skeleton."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from components.lib.geo.vectorise import EIGHT_CONNECTED, FOUR_CONNECTED
from components.lib.roads.tracing.mask import Mask
from components.lib.roads.tracing.rules import TracingRules

_PART_PX = 1 << 22


def cleaned(road: Mask, pixel_m: tuple[float, float], rules: TracingRules) -> Mask:
    """Return a mask without small objects and without small holes.

    Objects are 8-connected, as a road of one pixel along the diagonal is one road, and holes 4-connected.
    Ground between roads and the border is a hole, too.

    Args:
        road: (H, W).
        pixel_m: Size of a pixel along columns and along rows, metres.
        rules: Least area.
    """
    least = int(np.ceil(rules.least_area_m2 / (pixel_m[0] * pixel_m[1]) - 1e-9))
    if least < 2:
        return road
    return ~_large(~_large(road, EIGHT_CONNECTED, least), FOUR_CONNECTED, least)


def skeleton_of(road: Mask, pixel_m: tuple[float, float], rules: TracingRules) -> Mask:
    """Return the skeleton (H, W) of a mask (Zhang and Suen, CACM 27, 1984; scikit-image's).

    The border is repeated outwards first, so that roads that leave the raster are followed to its border.

    Args:
        road: (H, W).
        pixel_m: Size of a pixel along columns and along rows, metres.
        rules: Width of the repeated border.
    """
    if not road.any():
        return np.zeros_like(road)
    columns, rows = (int(np.ceil(rules.border_m / side - 1e-9)) for side in pixel_m)
    wide = np.pad(road, ((rows, rows), (columns, columns)), mode="edge")
    drawn = skeletonize(wide)  # type: ignore[no-untyped-call]
    height, width = road.shape
    inner: Mask = drawn[rows : rows + height, columns : columns + width]
    return inner


def _large(mask: Mask, structure: Mask, least: int) -> Mask:
    """Return the parts of at least ``least`` pixels; a lookup of flags takes a quarter of renumbering."""
    labels, count = ndimage.label(mask, structure=structure)
    sizes = np.zeros(count + 1, dtype=np.intp)
    for part in np.array_split(labels, max(1, labels.size // _PART_PX)):
        sizes += np.bincount(part.ravel(), minlength=count + 1)  # counted as 64 bits: not all at once
    kept = sizes >= least
    kept[0] = False
    large: Mask = kept[labels]
    return large
