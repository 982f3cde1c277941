"""True and false positives and negatives, and the ratios made of them: the one place for these formulas.

The formulas take numbers or arrays, so that the same ones serve totals, tables and sums that lack a block. A
ratio without a denominator is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd  # training counts pixels and needs no tables

Floats = NDArray[np.float64]


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> Floats:
    """Intersection over union, TP / (TP + FP + FN)."""
    hits, false, missed = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(hits, hits + false + missed)


def f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> Floats:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN)."""
    hits, false, missed = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(2 * hits, 2 * hits + false + missed)


def precision(tp: ArrayLike, fp: ArrayLike) -> Floats:
    """Share of the predictions that are right, TP / (TP + FP)."""
    return _ratio(np.asarray(tp), np.asarray(tp) + np.asarray(fp))


def recall(tp: ArrayLike, fn: ArrayLike) -> Floats:
    """Share of the truth that is found, TP / (TP + FN)."""
    return _ratio(np.asarray(tp), np.asarray(tp) + np.asarray(fn))


def accuracy(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """Overall accuracy (OA), the share of all that is right, (TP + TN) / (TP + FP + FN + TN)."""
    right = np.asarray(tp) + np.asarray(tn)
    return _ratio(right, right + np.asarray(fp) + np.asarray(fn))


def relaxed_f1(real: ArrayLike, found: ArrayLike, predicted: ArrayLike, right: ArrayLike) -> Floats:
    """Harmonic mean of precision and recall within a tolerance, of sums of lengths or pixels.

    Args:
        real: True roads.
        found: Those of them within the tolerance of a predicted one.
        predicted: Predicted roads.
        right: Those of them within the tolerance of a true one.
    """
    exact, complete = _ratio(right, predicted), _ratio(found, real)
    return _ratio(2 * exact * complete, exact + complete)


def mean_of(total: ArrayLike, number: ArrayLike) -> Floats:
    """Mean of values of which the sum and the number are known."""
    return _ratio(total, number)


def kappa(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Floats:
    """Cohen's kappa of two classes, (p_o - p_e) / (1 - p_e): accuracy p_o against that by chance, p_e."""
    hits, false, missed, rest = (np.asarray(value, dtype=np.float64) for value in (tp, fp, fn, tn))
    total = hits + false + missed + rest
    by_chance = (hits + false) * (hits + missed) + (missed + rest) * (false + rest)
    return _ratio((hits + rest) * total - by_chance, total * total - by_chance)


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of true/false positives/negatives, of pixels or of buildings.

    Attributes:
        tp: True positives.
        fp: False positives.
        fn: False negatives.
        tn: True negatives; 0 for buildings, which have none.
    """

    tp: int
    fp: int
    fn: int
    tn: int = 0

    @classmethod
    def of_pixels(cls, tiles: pd.DataFrame) -> Counts:
        """Sum the columns ``px_tp, px_fp, px_fn, px_tn`` over the rows of ``tiles``."""
        return cls(*(int(tiles[f"px_{name}"].sum()) for name in ("tp", "fp", "fn", "tn")))

    @classmethod
    def of_half(cls, tiles: pd.DataFrame) -> Counts:
        """Sum the columns ``px_tp_half, px_fp_half, px_fn_half``: pixels at threshold 0.5; tn stays 0."""
        return cls(*(int(tiles[f"px_{name}_half"].sum()) for name in ("tp", "fp", "fn")))

    @classmethod
    def of_buildings(cls, tiles: pd.DataFrame) -> Counts:
        """Sum the columns ``tp, fp, fn`` over the rows of ``tiles``."""
        return cls(*(int(tiles[name].sum()) for name in ("tp", "fp", "fn")))

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return float(iou(self.tp, self.fp, self.fn))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return float(f1(self.tp, self.fp, self.fn))

    @property
    def precision(self) -> float:
        """Share of the predictions that are right."""
        return float(precision(self.tp, self.fp))

    @property
    def recall(self) -> float:
        """Share of the truth that is found."""
        return float(recall(self.tp, self.fn))

    @property
    def accuracy(self) -> float:
        """Overall accuracy."""
        return float(accuracy(self.tp, self.fp, self.fn, self.tn))

    @property
    def kappa(self) -> float:
        """Cohen's kappa."""
        return float(kappa(self.tp, self.fp, self.fn, self.tn))

    def as_dict(self) -> dict[str, float]:
        """IoU, F1, precision and recall by name."""
        return {"iou": self.iou, "f1": self.f1, "precision": self.precision, "recall": self.recall}


def count_pixels(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
) -> Counts:
    """Count pixels.

    Args:
        predicted: Building or not, any shape; non-zero is building.
        truth: The same shape.
        valid: Pixels that count; all by default.
    """
    counted = np.ones(truth.shape, dtype=bool) if valid is None else valid.astype(bool)
    positive, real = predicted.astype(bool)[counted], truth.astype(bool)[counted]
    tp = int(np.count_nonzero(positive & real))
    fp = int(np.count_nonzero(positive)) - tp
    fn = int(np.count_nonzero(real)) - tp
    return Counts(tp, fp, fn, positive.size - tp - fp - fn)


def mean_hard_dice(tiles: pd.DataFrame) -> float:
    """Mean over tiles of ``(2 TP + 1) / (2 TP + FP + FN + 1)``.

    Kept only to compare with the logs of the released DisOptNet (docs/methods/metrics.md): a tile that is
    empty and predicted empty scores 1.

    Args:
        tiles: Rows of one or several parts of a tile, with the columns ``acquisition, image_id, px_tp, px_fp,
            px_fn``; the parts of a tile are summed first.
    """
    if tiles.empty:
        return 0.0
    whole = tiles.groupby(["acquisition", "image_id"])[["px_tp", "px_fp", "px_fn"]].sum()
    twice = 2.0 * whole["px_tp"]
    return float(((twice + 1.0) / (twice + whole["px_fp"] + whole["px_fn"] + 1.0)).mean())


def _ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    out: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return out
