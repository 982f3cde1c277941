"""Pixel scores from globally summed counts of the building class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of true/false positives/negatives; a ratio without a denominator is 0."""

    tp: int
    fp: int
    fn: int
    tn: int = 0

    @classmethod
    def from_tiles(cls, tiles: pd.DataFrame) -> Confusion:
        """Sum the columns ``px_tp, px_fp, px_fn, px_tn`` over the rows of ``tiles``."""
        return cls(*(int(tiles[f"px_{name}"].sum()) for name in ("tp", "fp", "fn", "tn")))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN)."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    def as_dict(self) -> dict[str, float]:
        """IoU, F1, precision and recall by name."""
        return {"iou": self.iou, "f1": self.f1, "precision": self.precision, "recall": self.recall}


def pixel_confusion(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
) -> Confusion:
    """Count pixels.

    Args:
        predicted: Building or not, any shape; non-zero is building.
        truth: The same shape.
        valid: Pixels that count; all by default.
    """
    seen = np.ones(truth.shape, dtype=bool) if valid is None else valid.astype(bool)
    positive, real = predicted.astype(bool)[seen], truth.astype(bool)[seen]
    tp = int(np.count_nonzero(positive & real))
    fp = int(np.count_nonzero(positive)) - tp
    fn = int(np.count_nonzero(real)) - tp
    return Confusion(tp, fp, fn, positive.size - tp - fp - fn)


def mean_hard_dice(tiles: pd.DataFrame) -> float:
    """Mean over tiles of ``(2 TP + 1) / (2 TP + FP + FN + 1)``.

    Kept only to compare with the logs of the released DisOptNet (distillation.md 1.6 item 2): an empty tile
    predicted empty scores 1, so it flatters.
    """
    if tiles.empty:
        return 0.0
    twice = 2.0 * tiles["px_tp"]
    return float(((twice + 1.0) / (twice + tiles["px_fp"] + tiles["px_fn"] + 1.0)).mean())


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
