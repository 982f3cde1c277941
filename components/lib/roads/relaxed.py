"""Relaxed precision, recall and IoU of masks of roads: right within a tolerance.

The buffer method (:mod:`components.lib.roads.buffers`) on pixels, as Mnih and Hinton (ECCV 2010) score road
masks: precision is the share of predicted pixels within the tolerance of a true one, recall the share of true
pixels within the tolerance of a predicted one. Areas are those of both masks widened by the tolerance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from components.lib.roads.buffers import BufferSums

Mask = npt.NDArray[np.bool_]


def sum_masks(truth: Mask, proposal: Mask, counted: Mask, tolerance_px: float) -> BufferSums:
    """Return the sums of one image; its lengths are numbers of pixels.

    Args:
        truth: True roads, (H, W).
        proposal: Predicted roads, (H, W).
        counted: Pixels that count, (H, W); of neither mask the others are looked at.
        tolerance_px: Largest distance between pixel centres, pixels.
    """
    real, ours = truth & counted, proposal & counted
    wide_real, wide_ours = (_widened(mask, tolerance_px) & counted for mask in (real, ours))
    return BufferSums(
        truth=_count(real),
        truth_near=_count(real & wide_ours),
        proposal=_count(ours),
        proposal_near=_count(ours & wide_real),
        truth_area=_count(wide_real),
        proposal_area=_count(wide_ours),
        shared_area=_count(wide_real & wide_ours),
    )


def _widened(mask: Mask, tolerance_px: float) -> Mask:
    if not mask.any():
        return mask
    near: Mask = distance_transform_edt(~mask) <= tolerance_px
    return near


def _count(mask: Mask) -> float:
    return float(np.count_nonzero(mask))
