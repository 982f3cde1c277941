"""Losses between a student and a frozen teacher: soft outputs and features (docs/methods/distillation.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.reduction import at_size_of, weighted_mean

REFERENCE_BATCH = 8
"""Batch of the released recipe, whose soft cross-entropy is summed over images: its effective weight."""


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


def pixelwise_distillation(logits: Tensor, teacher_logits: Tensor, weight: Tensor | None = None) -> Tensor:
    """PW, at the strength of the released batch of 8 whatever the batch is: ``8 * mean soft-CE``.

    Args and returns as :func:`soft_cross_entropy`.
    """
    return REFERENCE_BATCH * soft_cross_entropy(logits, teacher_logits, weight)


def pixelwise_distillation_summed(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """PW exactly as released: summed over the images of the batch, averaged over their pixels.

    It grows with the batch, N times the mean; kept to compare with the reference.
    """
    per_pixel = _soft_cross_entropy_map(logits, teacher_logits)
    return per_pixel.sum() / (per_pixel.shape[-2] * per_pixel.shape[-1])


def logit_kl(
    logits: Tensor, teacher_logits: Tensor, *, temperature: float = 2.0, weight: Tensor | None = None
) -> Tensor:
    """Return ``T^2 * KL(softmax(teacher / T) || softmax(logits / T))``, mean over the pixels of the batch.

    Unlike soft cross-entropy it is 0 where the two agree. Args and returns as :func:`soft_cross_entropy`.
    """
    log_p = (teacher_logits.detach().float() / temperature).log_softmax(dim=1)
    log_q = (logits.float() / temperature).log_softmax(dim=1)
    return temperature**2 * weighted_mean((log_p.exp() * (log_p - log_q)).sum(dim=1), weight)


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


def feature_direction(
    student: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor],
    names: Sequence[str],
    weight: Tensor | None = None,
) -> Tensor:
    """Mean over the named features of ``|| nu(student) - nu(teacher) ||^2``, nu of length 1 over channels.

    ``L_fd`` of our reading of HFD-Net: sensors have features of different scales, their
    direction is what transfers. Each is a mean over the cells of the batch and lies between 0 and 4.

    Args and returns as :func:`feature_mse`.
    """
    terms = []
    for name in names:
        difference = F.normalize(student[name].float(), dim=1) - F.normalize(
            teacher[name].detach().float(), dim=1
        )
        cells = None if weight is None else at_size_of(weight, student[name])
        terms.append(weighted_mean(difference.square().sum(dim=1), cells))
    return torch.stack(terms).mean()


def _soft_cross_entropy_map(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    soft = teacher_logits.detach().float().softmax(dim=1)
    return -(soft * logits.float().log_softmax(dim=1)).sum(dim=1)
