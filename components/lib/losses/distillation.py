"""How branch R is pulled towards the frozen teacher: soft outputs and features (reference 1.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

REFERENCE_BATCH = 8
"""Batch of the released recipe, whose soft cross-entropy is summed over images: its effective weight."""


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Mean over images and pixels of ``-sum_c softmax(teacher)_c log softmax(logits)_c``.

    Args:
        logits: (B, K, H, W) of the student; gradients flow here only.
        teacher_logits: (B, K, H, W).

    Returns:
        Scalar, float32.
    """
    return _soft_cross_entropy_map(logits, teacher_logits).mean()


def pixelwise_distillation(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """PW, at the strength of the released batch of 8 whatever the batch is: ``8 * mean soft-CE``.

    Args and returns as :func:`soft_cross_entropy`.
    """
    return REFERENCE_BATCH * soft_cross_entropy(logits, teacher_logits)


def pixelwise_distillation_summed(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """PW exactly as released: summed over the images of the batch, averaged over their pixels.

    It grows with the batch, N times the mean; kept to compare with the reference.
    """
    per_pixel = _soft_cross_entropy_map(logits, teacher_logits)
    return per_pixel.sum() / (per_pixel.shape[-2] * per_pixel.shape[-1])


def feature_mse(
    student: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor],
    names: Sequence[str] = ("f4", "f5", "decoder"),
) -> Tensor:
    """Mean over the named features of the mean squared difference, raw features (no adapter).

    With the default three features that is the reference's ``(1/3) * sum``.

    Args:
        student: Features of branch R, (B, C, H, W) each.
        teacher: Features of the frozen teacher, same names and shapes; no gradient flows into them.
        names: Which to compare.

    Returns:
        Scalar, float32.
    """
    terms = [F.mse_loss(student[name].float(), teacher[name].detach().float()) for name in names]
    return torch.stack(terms).mean()


def _soft_cross_entropy_map(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    soft = teacher_logits.detach().float().softmax(dim=1)
    return -(soft * logits.float().log_softmax(dim=1)).sum(dim=1)
