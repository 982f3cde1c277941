"""Loss of a change network (SGSLN, Zhao et al., TGRS 2023): Dice and cross-entropy of all its maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.change.nets.network import ChangeMaps
from components.lib.change.terms import UNKNOWN
from components.lib.losses.reduction import global_sum, weighted_mean

AUXILIARY_WEIGHT = 0.2
SMOOTHING = 1e-5
"""Added to both sides of the Dice quotient, pixels."""


def change_loss(maps: ChangeMaps, label: Tensor) -> dict[str, Tensor]:
    """Return the terms whose sum is the loss of a batch.

    L = D(c, y) + B(c, y) + 0.2 [D(s1, y') + B(s1, y') + D(s2, y') + B(s2, y')], where c is the change map and
    s1, s2 are the auxiliary ones. D is the Dice loss of the whole batch, B the mean binary cross-entropy, y'
    the mean of 2 x 2 labels. Pixels that are ``UNKNOWN`` count in neither (ours), nor do cells of y' that
    hold one.

    Args:
        maps: Logits of the change map and of the auxiliary ones, which have half its size.
        label: (B, 1, H, W) or (B, H, W): ``UNCHANGED``, ``CHANGED`` or ``UNKNOWN``.

    Returns:
        Scalars in float32: ``dice``, ``bce`` and, with auxiliary maps, ``auxiliary`` with its weight.
    """
    label = label.reshape(len(label), 1, *label.shape[-2:])
    known = (label != UNKNOWN).float()
    truth = label.float() * known
    terms = {"dice": dice(maps.change, truth, known), "bce": cross_entropy(maps.change, truth, known)}
    if maps.auxiliary:
        coarse, whole = F.avg_pool2d(truth, 2), (F.avg_pool2d(known, 2) == 1).float()
        losses = [dice(s, coarse, whole) + cross_entropy(s, coarse, whole) for s in maps.auxiliary]
        terms["auxiliary"] = AUXILIARY_WEIGHT * torch.stack(losses).sum()
    return terms


def dice(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Return 1 - (2 sum p t + 1e-5) / (sum p + sum t + 1e-5) over the known pixels of the global batch.

    Args:
        logits: (B, 1, H, W), any floating dtype; p is their sigmoid.
        truth: (B, 1, H, W), 0 to 1.
        known: (B, 1, H, W), 1 where a pixel counts, 0 elsewhere.
    """
    probability, truth = logits.float().sigmoid() * known, truth * known
    sums = global_sum(torch.stack([(probability * truth).sum(), probability.sum() + truth.sum()]))
    return 1 - (2 * sums[0] + SMOOTHING) / (sums[1] + SMOOTHING)


def cross_entropy(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of the known pixels of the global batch; 0 without any.

    Args as :func:`dice`.
    """
    losses = F.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    return weighted_mean(losses, known)
