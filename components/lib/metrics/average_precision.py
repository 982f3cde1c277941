"""Average precision at one IoU from per-polygon confidences."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def precision_recall_curve(
    confidence: ArrayLike, matched: ArrayLike, n_truth: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute precision and recall with the proposals of at least each confidence.

    Proposals of equal confidence enter together, so the curve does not depend on their order.

    Args:
        confidence: (P,) numbers.
        matched: (P,) bool, true positives of the greedy matching in descending confidence. That matching
            never looks ahead, so its flags hold for every cut-off.
        n_truth: Truth polygons that count.

    Returns:
        Distinct confidences (descending), precision and recall, each (K,) float64.
    """
    values = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    values, hits = values[order], np.asarray(matched, dtype=bool)[order]
    last = (
        np.flatnonzero(np.append(np.diff(values) != 0, True)) if len(values) else np.zeros(0, dtype=np.intp)
    )
    found = np.cumsum(hits)[last].astype(np.float64)
    recall = found / n_truth if n_truth else np.zeros(len(last))
    return values[last], found / (last + 1), recall


def average_precision(confidence: ArrayLike, matched: ArrayLike, n_truth: int) -> float:
    """Compute the area under the precision envelope over recall, all points (Pascal VOC 2010 and later).

    The envelope at recall r is the highest precision at any recall >= r. No truth or no proposal gives 0.

    Args:
        confidence: (P,) numbers.
        matched: (P,) bool, see :func:`precision_recall_curve`.
        n_truth: Truth polygons that count.
    """
    _, precision, recall = precision_recall_curve(confidence, matched, n_truth)
    if not n_truth or not len(precision):
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
