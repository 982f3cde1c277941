"""Polygons to masks: footprint, edge and contact.

The footprint mask follows the pixel-centre rule (a pixel is building where its centre lies in a polygon).
Edge and contact masks are the auxiliary targets of the SpaceNet 6 winners (docs/methods/spacenet6.md):
the rim inside each building, and the ground that touches two buildings, which keep neighbours apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from scipy.ndimage import maximum_filter, minimum_filter

from components.lib.tasks.labels import LABELS


def rasterise_instances(
    polygons: Sequence[shapely.Polygon], height: int, width: int
) -> npt.NDArray[np.int32]:
    """Burn polygons into a label image by the pixel-centre rule.

    Args:
        polygons: Pixel coordinates.
        height: Rows.
        width: Columns.

    Returns:
        (height, width) int32: 0 ground, i + 1 where ``polygons[i]`` lies; where two overlap, the later one.
    """
    if not polygons:
        return np.zeros((height, width), dtype=np.int32)
    burnt: npt.NDArray[np.int32] = rasterize(
        [(polygon, label) for label, polygon in enumerate(polygons, 1)],
        out_shape=(height, width),
        fill=0,
        all_touched=False,
        dtype="int32",
    )
    return burnt


def edge_mask(labels: npt.NDArray[np.int32], edge_px: int) -> npt.NDArray[np.bool_]:
    """Return the band inside each building that an erosion by ``edge_px`` pixels removes.

    Args:
        labels: Label image, (H, W).
        edge_px: Width of the band in pixels; 0 gives an empty mask.

    Returns:
        (H, W) bool. Where the tile cuts a building there is no edge, as the wall is elsewhere.
    """
    side = 2 * edge_px + 1
    low = minimum_filter(labels, side, mode="nearest")
    high = maximum_filter(labels, side, mode="nearest")
    result: npt.NDArray[np.bool_] = (labels > 0) & (low != high)
    return result


def contact_mask(labels: npt.NDArray[np.int32], contact_px: int) -> npt.NDArray[np.bool_]:
    """Pixels whose ``contact_px`` x ``contact_px`` window meets two different buildings.

    Args:
        labels: Label image, (H, W).
        contact_px: Side of the window in pixels, odd; buildings up to ``contact_px - 2`` apart meet in it.

    Returns:
        (H, W) bool, on the ground between buildings and on the walls that face each other.
    """
    none = np.iinfo(np.int32).max
    low = minimum_filter(np.where(labels > 0, labels, none), contact_px, mode="constant", cval=none)
    high = maximum_filter(labels, contact_px, mode="constant", cval=0)
    result: npt.NDArray[np.bool_] = (high > 0) & (low != high)
    return result


def rasterise_targets(
    polygons: Sequence[shapely.Polygon], height: int, width: int, *, edge_px: int, contact_px: int
) -> npt.NDArray[np.uint8]:
    """Draw all training targets of one tile.

    Args:
        polygons: Pixel coordinates, already filtered by area.
        height: Rows.
        width: Columns.
        edge_px: Width of the edge band, pixels.
        contact_px: Side of the contact window, pixels, odd.

    Returns:
        (height, width, 3) uint8, 0 or 1, channels ``LABELS``.
    """
    labels = rasterise_instances(polygons, height, width)
    target = np.zeros((height, width, len(LABELS)), dtype=np.uint8)
    if polygons:
        target[..., 0] = labels > 0
        target[..., 1] = edge_mask(labels, edge_px)
        target[..., 2] = contact_mask(labels, contact_px)
    return target
