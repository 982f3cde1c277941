"""Pseudo-labels of the target during training: made in rounds, refused where they collapse."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from components.adapt.labels import LabelFolder
from components.lib.engine.task import TrainingStoppedError
from components.lib.nets.network import SegmentationNetwork
from components.lib.selftraining.collapse import CollapseLimits, collapse_reason
from components.lib.selftraining.contrast import contrast_similarity
from components.lib.selftraining.pseudolabels import LabelSummary

LOG = logging.getLogger(__name__)


def round_starts(steps: int, *, warmup_share: float, rounds: int) -> list[int]:
    """Return the first step of each round: evenly spaced after the warm-up.

    LoveCS labels at steps 10,000, 12,000 and 14,000 of 15,000 (docs/methods/adaptation.md).

    Args:
        steps: Steps in all, at least 1.
        warmup_share: Share of them on the source alone.
        rounds: Rounds; fewer come out where there are fewer steps than that.

    >>> round_starts(100, warmup_share=0.25, rounds=3)
    [25, 50, 75]
    """
    warm = min(int(warmup_share * steps), steps - 1)
    return sorted({warm + (steps - warm) * r // rounds for r in range(rounds)})


def round_of(step: int, starts: list[int]) -> int:
    """Return the round that ``step`` belongs to, -1 during the warm-up."""
    return bisect_right(starts, step) - 1


class FirstRoundCollapsedError(TrainingStoppedError):
    """There are no labels to begin self-training with; the message says why."""


class PseudoLabels(nn.Module):
    """Labels of the current round, and the facts about them that must survive an interruption.

    Buffers, in the checkpoint: the round that was begun last, the round whose labels are trained on, their
    digest, their classes' shares, and how they agreed with the labels before them (NaN without such).

    Args:
        folder: Makes and keeps the labels.
        starts: First step of each round.
        guard: Limits on a round; None lets every round pass.
        truth_shares: Share of each class in the source's truth, which the first round is compared with.
        truth_contrast: Contrast of buildings in the source's truth, which every round is compared with.
    """

    begun: Tensor
    used: Tensor
    digest: Tensor
    shares: Tensor
    agreement: Tensor

    def __init__(
        self,
        folder: LabelFolder,
        starts: Sequence[int],
        *,
        guard: CollapseLimits | None = None,
        truth_shares: Sequence[float] = (0.5, 0.5),
        truth_contrast: tuple[float, ...] = (),
    ) -> None:
        super().__init__()
        self.folder, self.starts, self.guard = folder, list(starts), guard
        self.truth_contrast = truth_contrast
        self._labels: Tensor | None = None
        self._begun: int | None = None
        shares = torch.tensor(tuple(truth_shares), dtype=torch.float64)
        self.register_buffer("begun", torch.tensor(-1))
        self.register_buffer("used", torch.tensor(-1))
        self.register_buffer("digest", torch.zeros(32, dtype=torch.uint8))
        self.register_buffer("shares", shares)
        self.register_buffer("agreement", torch.full_like(shares, torch.nan))

    def before_step(self, step: int, net: SegmentationNetwork) -> None:
        """Make the labels at the first step of a round; find them again in a resumed run.

        Raises:
            FirstRoundCollapsedError: If the guard refuses the first round.
            MissingInputError: If the labels of an interrupted run are gone.
        """
        current = round_of(step, self.starts)
        if current < 0:
            return
        if self._begun is None:
            self._begun = int(self.begun)  # read once: on a GPU that waits for everything before it
        if current != self._begun:
            self._begin(current, net)
            self._begun = current
            self.begun.fill_(current)
        if self._labels is None:
            digest = bytes(self.digest.tolist()).hex()
            self._labels = self.folder.open(int(self.used), digest).to(self.begun.device)

    def crops(self, windows: Tensor, side: int) -> Tensor:
        """Return the labels (B, side, side) uint8 where the crops were cut, in one gather on the device."""
        if self._labels is None:
            raise RuntimeError("before_step was not called: there are no pseudo-labels yet")
        tile, y, x, flip = windows.unbind(dim=1)
        along = torch.arange(side, device=windows.device)
        rows = y[:, None, None] + along[:, None]
        mirrored = torch.where(flip[:, None].bool(), side - 1 - along, along)
        columns = x[:, None, None] + mirrored[:, None, :]
        return self._labels[tile[:, None, None], rows, columns]

    def _begin(self, current: int, net: SegmentationNetwork) -> None:
        """Label for a round, and use the labels unless they collapsed."""
        summary, digest = self.folder.make(current, net, self.begun.device)
        previous = int(self.used)
        agreement = None if previous < 0 else self.folder.agreement(previous, current)
        reason = self._refusal(summary, agreement)
        self.folder.note(current, summary, agreement, reason)
        if reason is not None:
            LOG.warning("adapt: pseudo-labels of round %d are not trained on: %s", current + 1, reason)
            if previous < 0:
                raise FirstRoundCollapsedError(reason)
            return
        self.used.fill_(current)
        self.digest.copy_(torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8))
        self.shares.copy_(torch.tensor(summary.histogram, dtype=torch.float64))
        if agreement is not None:
            self.agreement.copy_(torch.tensor(agreement, dtype=torch.float64))
        self._labels = None

    def _refusal(self, summary: LabelSummary, agreement: Sequence[float] | None) -> str | None:
        if self.guard is None:
            return None
        before: list[float] = self.agreement.tolist()
        known = self.truth_contrast
        return collapse_reason(
            self.shares.tolist(),
            summary.histogram,
            self.guard,
            agreement=agreement,
            agreement_before=None if any(map(math.isnan, before)) else before,
            contrast=contrast_similarity(summary.contrast, known) if known else 1.0,
        )
