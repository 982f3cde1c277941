"""Histograms of building probabilities: every threshold's counts from one pass over the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.lib.metrics.counts import Counts, iou

BINS = 256
"""Bins of equal width; a power of two, so that float32 probabilities are binned without rounding."""

HALF = 0.5
"""Threshold that takes the likelier of two classes."""

Integers = npt.NDArray[np.int64]


def first_bin(threshold: float) -> int:
    """Return the lowest bin whose pixels exceed a threshold.

    Raises:
        ValueError: If the threshold is no multiple of 1 / BINS: its bin would be cut in two.
    """
    first = threshold * BINS
    if first != int(first):
        raise ValueError(f"threshold {threshold} is not a multiple of 1/{BINS}")
    return int(first)


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityHistogram:
    """Numbers of building and of ground pixels by predicted building probability.

    Bin k holds k / BINS < p <= (k + 1) / BINS, and bin 0 holds p = 0 too: the pixels of bin k and above are
    those whose probability exceeds k / BINS.

    Attributes:
        building: Pixels that are building, (BINS,).
        ground: Pixels that are not, (BINS,).
    """

    building: Integers
    ground: Integers

    @classmethod
    def empty(cls) -> ProbabilityHistogram:
        """Return the histogram of no pixels."""
        return cls(np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64))

    @classmethod
    def of(
        cls, probability: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_], valid: npt.NDArray[np.bool_]
    ) -> ProbabilityHistogram:
        """Count the valid pixels of one image.

        Args:
            probability: Building probability, (H, W), 0 to 1.
            truth: True where there is a building, (H, W).
            valid: True where a pixel counts, (H, W).
        """
        bins = np.clip(np.ceil(probability[valid] * np.float32(BINS)).astype(np.int64) - 1, 0, BINS - 1)
        everything = np.bincount(bins, minlength=BINS)
        building = np.bincount(bins[truth[valid]], minlength=BINS)
        return cls(building, everything - building)

    def __add__(self, other: ProbabilityHistogram) -> ProbabilityHistogram:
        return ProbabilityHistogram(self.building + other.building, self.ground + other.ground)

    def counts(self, threshold: float) -> Counts:
        """Return the counts of the pixels that exceed a threshold.

        Raises:
            ValueError: If the threshold is no multiple of 1 / BINS: its bin would be cut in two.
        """
        first = first_bin(threshold)
        tp, fp = int(self.building[first:].sum()), int(self.ground[first:].sum())
        return Counts(tp, fp, int(self.building.sum()) - tp, int(self.ground.sum()) - fp)

    def best_threshold(self) -> float:
        """Return the threshold of the largest pixel IoU, of equal ones the nearest to one half.

        One half where no threshold finds a building pixel.
        """
        tp, fp = _from_above(self.building)[1:], _from_above(self.ground)[1:]
        values = iou(tp, fp, int(self.building.sum()) - tp)
        best = np.flatnonzero(values == values.max()) + 1
        if values.max() == 0.0:
            return HALF
        return float(best[np.argmin(np.abs(best / BINS - HALF))]) / BINS

    def average_precision(self) -> float:
        """Return the area under precision over recall: precision times gain in recall, summed over the bins.

        Without interpolation; 0 where there is no building pixel.
        """
        tp, fp = _from_above(self.building), _from_above(self.ground)
        if tp[0] == 0:
            return 0.0
        precision = tp / np.maximum(tp + fp, 1)
        return float(np.sum(self.building * precision) / tp[0])


def _from_above(values: Integers) -> Integers:
    """Return for every bin the sum of it and all bins above."""
    sums: Integers = np.cumsum(values[::-1])[::-1]
    return sums
