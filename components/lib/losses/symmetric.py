"""Symmetric cross-entropy (Wang et al., ICCV 2019) for labels that may be wrong.

Plain cross-entropy punishes a confident disagreement without bound, and so learns a teacher's errors. The
reverse term is bounded: it is proportional to the probability not given to the label.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.reduction import weighted_mean

LOG_ZERO = -4.0
"""Stands in for log 0 in the reverse term, as in the paper."""


def symmetric_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    forward: float = 1.0,
    reverse: float = 0.5,
    ignore_index: int | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Return ``forward * CE(label, p) + reverse * CE(p, label)`` with ``log 0 = -4`` in the latter.

    A mean over the pixels of the (global) batch that are not ignored, by their weights. With hard labels the
    reverse term is ``4 * (1 - p_label)``. The default weights are ours.

    Args:
        logits: (B, K, H, W).
        labels: Class of each pixel, (B, H, W), any integer dtype.
        forward: Weight of the usual cross-entropy.
        reverse: Weight of the reverse one.
        ignore_index: Label whose pixels count for nothing.
        weight: Weight of each pixel, (B, H, W).

    Returns:
        Scalar, float32; 0 if nothing counts.
    """
    labels = labels.long()
    if ignore_index is not None:
        known = labels != ignore_index
        weight = known.float() if weight is None else weight * known
        labels = torch.where(known, labels, 0)
    per_pixel = F.cross_entropy(logits.float(), labels, reduction="none")
    missed = 1 - logits.float().softmax(dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return weighted_mean(forward * per_pixel - reverse * LOG_ZERO * missed, weight)
