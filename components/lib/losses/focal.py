"""PP-LinkNet's focal loss and the threshold that belongs to it (docs/methods/pp_linknet.md#the-loss-pair)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.reduction import weighted_mean


@dataclass(frozen=True)
class FocalPair:
    """Focal loss and the threshold on summed views that is calibrated to it; a change concerns both.

    A small ``alpha`` makes positives count less, which lowers their probability, so the threshold is low.

    Attributes:
        alpha: Weight of positives; negatives have 1 - alpha.
        gamma: Power of the error 1 - p_t, p_t the probability of the true class.
        views: Views whose probabilities are summed at test.
        summed: A pixel is positive if its sum exceeds this.
    """

    alpha: float
    gamma: float
    views: int
    summed: float

    @property
    def threshold(self) -> float:
        """Threshold on the mean probability of the views, 0 to 1."""
        return self.summed / self.views

    def loss(self, logits: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return ``mean(w * BCE)``, ``w = [alpha t + (1 - alpha)(1 - t)] (1 - p_t)^gamma``.

        w is detached: the gradient by a logit is ``w (p - t)`` over the number of pixels. Differentiated, a
        gamma below 1 gives NaN where 1 - p_t reaches 0.

        Args:
            logits: Any shape, any floating dtype, for a sigmoid; computed in float32.
            truth: The same shape, non-zero for positives.
            weight: Weight of each pixel, the same shape, at least 0; None for equal weights.

        Returns:
            Scalar, float32.
        """
        z, t = logits.float(), (truth != 0).float()
        error = (z.detach().sigmoid() - t).abs()
        focus = torch.where(t > 0, self.alpha, 1 - self.alpha) * error**self.gamma
        return weighted_mean(focus * F.binary_cross_entropy_with_logits(z, t, reduction="none"), weight)

    def mask(self, summed: Tensor) -> Tensor:
        """Return the positive pixels, bool, of the probabilities summed over :attr:`views` views."""
        return summed > self.summed


RELEASED = FocalPair(alpha=0.25, gamma=0.5, views=8, summed=2.0)
"""PP-LinkNet's released code: alpha on the positives, eight views."""
