"""Learning rate of SGSLN's code: a warm-up by step, then a tenth whenever validation F1 stops rising."""

from __future__ import annotations

from dataclasses import dataclass, field

WARMUP_START = 1e-7
"""Rate that the warm-up rises from; no step has it."""

FALL = 0.1
"""Factor of the rate after too many measurements without a higher F1."""


def warmup_rate(step: int, lr: float, warmup_steps: int) -> float:
    """Return the rate of step ``step``, counted from 0, as long as F1 has not stopped rising.

    The code sets the rate in steps 1 to ``warmup_steps`` - 1 and never again, so that it stays just below
    ``lr``.

    Args:
        step: Index of the step about to be taken.
        lr: Rate that the warm-up approaches.
        warmup_steps: Steps of the warm-up; with 0 or 1 there is none, and the rate is ``lr``.
    """
    if warmup_steps <= 1:
        return lr
    return WARMUP_START + min(step + 1, warmup_steps - 1) * (lr - WARMUP_START) / warmup_steps


@dataclass
class Plateau:
    """Counter of measurements without a higher F1.

    The first measurement sets the best F1. After ``patience`` measurements in a row that are not strictly
    higher, the rate falls once more and the counter returns to 0. There is no floor, and training never stops
    for it.

    Attributes:
        patience: Measurements in a row without a higher F1 until the rate falls; None: it never does.
        best: Highest F1 so far; -1 before the first.
        waited: Measurements since it, or since the rate fell.
        falls: How often the rate fell.
        scores: Every measurement, in order.
    """

    patience: int | None
    best: float = -1.0
    waited: int = 0
    falls: int = 0
    scores: list[float] = field(default_factory=list)

    @property
    def factor(self) -> float:
        """Factor on the rate of the warm-up."""
        return float(FALL**self.falls)

    def measure(self, f1: float) -> None:
        """Take a measurement."""
        self.scores.append(f1)
        if f1 > self.best:
            self.best, self.waited = f1, 0
            return
        self.waited += 1
        if self.waited == self.patience:
            self.falls, self.waited = self.falls + 1, 0

    def replay(self, scores: list[float]) -> None:
        """Take the measurements of a checkpoint, in place of those so far."""
        self.best, self.waited, self.falls, self.scores = -1.0, 0, 0, []
        for score in scores:
            self.measure(score)
