"""Relaxed precision and recall: right within a tolerance, so that an outline off by a pixel costs nothing.

The buffer method of road extraction (Wiedemann et al., 1998), used for buildings as well by Mnih (PhD thesis,
Toronto, 2013, section 6.1) and Saito et al. (2016) with 3 pixels: relaxed precision is the share of predicted
pixels that lie within the tolerance of a true pixel, relaxed recall the share of true pixels within the
tolerance of a predicted one. Their harmonic mean is the relaxed F1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]

TOLERANCE_PX = 3.0
"""Tolerance in use in the field, pixels."""


@dataclass(frozen=True, slots=True)
class RelaxedCounts:
    """Numbers of pixels near the other mask.

    Attributes:
        predicted: Predicted pixels.
        predicted_near: Those of them within the tolerance of a true pixel.
        truth: True pixels.
        truth_near: Those of them within the tolerance of a predicted pixel.
    """

    predicted: int
    predicted_near: int
    truth: int
    truth_near: int

    def __add__(self, other: RelaxedCounts) -> RelaxedCounts:
        return RelaxedCounts(
            self.predicted + other.predicted,
            self.predicted_near + other.predicted_near,
            self.truth + other.truth,
            self.truth_near + other.truth_near,
        )

    @property
    def precision(self) -> float | None:
        """Relaxed precision; None without a predicted pixel."""
        return self.predicted_near / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Relaxed recall; None without a true pixel."""
        return self.truth_near / self.truth if self.truth else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; 0 if only one of them is there, None if neither is."""
        precision, recall = self.precision, self.recall
        if precision is None and recall is None:
            return None
        if not precision or not recall:
            return 0.0
        return 2 * precision * recall / (precision + recall)


def count_relaxed(predicted: Mask, truth: Mask, known: Mask, tolerance_px: float) -> RelaxedCounts:
    """Count the pixels of one pair.

    Args:
        predicted: (H, W), True where change is predicted.
        truth: (H, W), True where the ground changed.
        known: (H, W), False where nobody knows; such pixels neither count nor are near.
        tolerance_px: Largest Euclidean distance between pixel centres, pixels.
    """
    ours, real = predicted & known, truth & known
    return RelaxedCounts(
        int(np.count_nonzero(ours)),
        int(np.count_nonzero(ours & _near(real, tolerance_px))),
        int(np.count_nonzero(real)),
        int(np.count_nonzero(real & _near(ours, tolerance_px))),
    )


def _near(mask: Mask, tolerance_px: float) -> Mask:
    """Return the pixels within the tolerance of a pixel of ``mask``."""
    if not mask.any():
        return np.zeros_like(mask)
    near: Mask = ndimage.distance_transform_edt(~mask) <= tolerance_px
    return near
