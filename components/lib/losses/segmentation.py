"""Supervised loss of teacher, control and student: exact Dice plus cross-entropy (Kang et al., 2022).

Pixels without data teach nothing (ours; the release labels them background, docs/methods/distillation.md).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.reduction import TINY, global_sum, weighted_mean

IGNORE = 255
"""Class of a pixel that teaches nothing: no data, or no class was confident enough for a pseudo-label."""


def data_mask(image: Tensor) -> Tensor:
    """Return the pixels with data, (B, H, W) bool, of an image (B, C, H, W): 0 in every band is none."""
    return (image != 0).any(dim=1)


def ignore_nodata(classes: Tensor, image: Tensor) -> Tensor:
    """Return ``classes`` with ``IGNORE`` where the image that is read has no data.

    Args:
        classes: Class of each pixel, (B, H, W), an integer dtype that holds 255.
        image: (B, C, H, W) in stored units, after any zoom.

    Returns:
        (B, H, W), of the dtype of ``classes``.
    """
    return torch.where(data_mask(image), classes, IGNORE)


def segmentation_loss(logits: Tensor, target: Tensor, *, ignore_index: int | None = None) -> Tensor:
    """Return ``Dice + CE``, both with weight 1.

    Args:
        logits: (B, K, H, W), any floating dtype; computed in float32.
        target: Class of each pixel, (B, H, W), any integer dtype.
        ignore_index: Target value whose pixels count for nothing; None in the reference.

    Returns:
        Scalar.
    """
    return dice_loss(logits, target, ignore_index=ignore_index) + cross_entropy(
        logits, target, ignore_index=ignore_index
    )


def dice_loss(logits: Tensor, target: Tensor, *, ignore_index: int | None = None) -> Tensor:
    """Mean over classes of ``1 - 2 sum(p t) / (sum p + sum t)``, p the softmax.

    Sums run over the whole batch, of all devices under distributed training; there is no smoothing, the
    denominator is at least 1e-7, and a class absent from ``target`` contributes 0 while the mean still
    divides by the number of classes.

    Args and returns as :func:`segmentation_loss`.
    """
    probability = logits.float().softmax(dim=1)
    classes = probability.shape[1]
    target = target.long()
    if ignore_index is not None:
        valid = target != ignore_index
        probability = probability * valid.unsqueeze(1)
        target = torch.where(valid, target, 0)
        truth = F.one_hot(target, classes).movedim(-1, 1) * valid.unsqueeze(1)
    else:
        truth = F.one_hot(target, classes).movedim(-1, 1)
    truth = truth.to(probability.dtype)
    return dice_of_maps(probability, truth).mean()


def dice_of_maps(probability: Tensor, truth: Tensor) -> Tensor:
    """Dice loss of each of K maps, (K,), 0 for a map that is empty in the global batch.

    Args:
        probability: (B, K, H, W).
        truth: (B, K, H, W), 0 to 1.
    """
    over = (0, 2, 3)
    sums = global_sum(torch.stack([(probability * truth).sum(over), probability.sum(over), truth.sum(over)]))
    overlap, present, total = sums[0], sums[2], (sums[1] + sums[2]).clamp_min(TINY)
    return (1 - 2 * overlap / total) * (present > 0)


def cross_entropy(logits: Tensor, target: Tensor, *, ignore_index: int | None = None) -> Tensor:
    """Mean pixel cross-entropy, unweighted; 0 (not NaN) if every pixel is ignored.

    Args and returns as :func:`segmentation_loss`.
    """
    logits, target = logits.float(), target.long()
    if ignore_index is None:
        return F.cross_entropy(logits, target)
    per_pixel = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return weighted_mean(per_pixel, target != ignore_index)
