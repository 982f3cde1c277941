"""Comparison of a student with a frozen teacher: soft outputs and features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from components.lib.losses.reduction import at_size_of, weighted_mean


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over the pixels of the batch of ``-sum_c softmax(teacher)_c log softmax(logits)_c``.

    Args:
        logits: (B, K, H, W) of the student; gradients flow here only.
        teacher_logits: (B, K, H, W).
        weight: Weight of each pixel, (B, H, W); None for equal weights.

    Returns:
        Scalar, float32.
    """
    return weighted_mean(_soft_cross_entropy_map(logits, teacher_logits), weight)


def feature_mse(
    student: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor],
    names: Sequence[str] = ("f4", "f5", "decoder"),
    weight: Tensor | None = None,
) -> Tensor:
    """Mean over the named features of the mean squared difference, raw features.

    Each is a mean over channels and cells of the batch. With the default three features and without weights
    that is the reference's ``(1/3) * sum``.

    Args:
        student: Features of branch R, (B, C, h, w) each, or what adapters made of them.
        teacher: Features of the frozen teacher, same names and shapes; no gradient flows into them.
        names: Features to compare.
        weight: Weight of each pixel, (B, H, W); cells weigh their mean.

    Returns:
        Scalar, float32.
    """
    terms = []
    for name in names:
        difference = (student[name].float() - teacher[name].detach().float()).square().mean(dim=1)
        terms.append(weighted_mean(difference, None if weight is None else at_size_of(weight, student[name])))
    return torch.stack(terms).mean()


def _soft_cross_entropy_map(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    soft = teacher_logits.detach().float().softmax(dim=1)
    return -(soft * logits.float().log_softmax(dim=1)).sum(dim=1)
