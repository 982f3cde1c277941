"""Loss of the contour head: footprint, edge and contact as three independent maps.

Binary cross-entropy + dice, not the focal + dice of the first winner (docs/methods/spacenet6.md; the fourth
and fifth took BCE + dice). Polygons are cut from these maps at fixed thresholds and sorted by their mean
probability, the same for every method, so probabilities must mean what they say: cross-entropy is a proper
score, whereas focal loss pulls them towards one half by an amount that depends on the network. Dice looks
after the few edge and contact pixels that cross-entropy's mean would drown.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.reduction import weighted_mean
from components.lib.losses.segmentation import dice_of_maps

CONTOUR_WEIGHTS = (1.0, 0.25, 0.1)
"""Weights of footprint, edge and contact, as the first winner's."""


def contour_loss(
    logits: Tensor,
    target: Tensor,
    *,
    weights: tuple[float, ...] = CONTOUR_WEIGHTS,
    weight: Tensor | None = None,
) -> Tensor:
    """Return ``sum_k weights_k * (BCE_k + dice_k)``.

    BCE is a mean over the pixels of the (global) batch by their weights. Dice sums over the whole global
    batch, as the segmentation loss does: ``1 - 2 sum(p t) / (sum p + sum t)``, 0 where a map is empty.

    Args:
        logits: (B, 3, H, W), each for a sigmoid.
        target: Layer ``target`` of the store, (B, 3, H, W), non-zero where it holds.
        weights: Weights of the three maps.
        weight: Weight of each pixel, (B, H, W).

    Returns:
        Scalar, float32.
    """
    logits, truth = logits.float(), (target != 0).float()
    everywhere = None if weight is None else weight.float().unsqueeze(1).expand_as(truth)
    bce = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    terms = [
        weighted_mean(bce[:, k], None if everywhere is None else everywhere[:, k])
        for k in range(logits.shape[1])
    ]
    probability = logits.sigmoid()
    if everywhere is not None:
        probability, truth = probability * everywhere, truth * everywhere
    loss = torch.stack(terms) + dice_of_maps(probability, truth)
    return (loss * loss.new_tensor(weights)).sum()
