"""Class-balanced confidence thresholds: the rule of CBST (docs/methods/adaptation.md#pseudo-labels)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.lib.losses.segmentation import IGNORE
from components.lib.selftraining.codes import LEVELS, Codec, Codes

SAMPLING_STRIDE = 16
"""Every 16th pixel of a class, in row-major order, takes part in its threshold."""


def sample_confidences(codes: Codes, valid: npt.NDArray[np.bool_], classes: int) -> list[Codes]:
    """Confidences of every 16th pixel predicted as each class.

    Args:
        codes: Fused map, (C, H, W).
        valid: Pixels that may be looked at, (H, W).
        classes: C.

    Returns:
        For each class the codes of its maximum, among the pixels where it is the maximum.
    """
    predicted = codes.argmax(axis=0)
    return [codes[k][(predicted == k) & valid][::SAMPLING_STRIDE] for k in range(classes)]


def sample_probabilities(codes: Codes, valid: npt.NDArray[np.bool_], classes: int) -> list[Codes]:
    """Return every 16th valid pixel's code of each class, whatever it is predicted as; args as above."""
    return [codes[k][valid][::SAMPLING_STRIDE] for k in range(classes)]


class ConfidenceHistogram:
    """Counts of confidence codes per class: fixed memory, whatever the number of images.

    The released method keeps and sorts all sampled confidences; on 16-bit codes a histogram gives the same
    threshold.

    Args:
        classes: Number of classes.
        codec: Meaning of the codes.
    """

    def __init__(self, classes: int, codec: Codec) -> None:
        self.codec = codec
        self.counts = np.zeros((classes, LEVELS), dtype=np.int64)

    def add(self, samples: list[Codes]) -> None:
        """Count one image's samples, one array per class."""
        for k, codes in enumerate(samples):
            self.counts[k] += np.bincount(codes, minlength=LEVELS)

    def thresholds(self, portion: float, prior: Sequence[float] | None = None) -> npt.NDArray[np.float64]:
        """Return each class's smallest confidence among its ``floor(portion * n)`` most confident samples.

        A class with no such sample has threshold 1, which no probability reaches unless it is certain.

        Args:
            portion: Share of the samples that pass.
            prior: Factor on it for each class, where all pixels were sampled for all classes
                (:func:`sample_probabilities`): the share of the pixels that are to be of the class.

        Returns:
            (C,) float64, in the codec's values.
        """
        result = np.ones(len(self.counts))
        for k, counts in enumerate(self.counts):
            kept = int(np.floor(portion * (1.0 if prior is None else prior[k]) * counts.sum()))
            if kept:
                at_least = np.cumsum(counts[::-1])
                code = LEVELS - 1 - int(np.searchsorted(at_least, kept))
                result[k] = self.codec.decode(np.asarray(code))
        return result


def assign_labels(
    values: npt.NDArray[np.floating], thresholds: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    """Pseudo-labels: ``argmax_k p_k / t_k`` where that ratio reaches 1, else 255.

    Args:
        values: Fused map, (C, H, W).
        thresholds: (C,).

    Returns:
        (H, W) uint8.
    """
    # A threshold of exactly 0 can only come from fused logits; any positive logit then passes.
    safe = np.where(thresholds == 0, np.finfo(np.float64).tiny, thresholds)
    ratios = values / safe[:, None, None]
    labels: npt.NDArray[np.uint8] = ratios.argmax(axis=0).astype(np.uint8)
    labels[ratios.max(axis=0) < 1] = IGNORE
    return labels
