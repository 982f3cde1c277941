"""Repeated trainings of two methods: a difference counts only above twice the spread of the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from components.contract.errors import BadDataError

LEAST_SEEDS: Final = 3
"""Trainings of each method below which no difference counts."""

SPREADS: Final = 2.0
"""Spreads of the seeds that a difference must exceed."""


@dataclass(frozen=True, slots=True)
class SeedComparison:
    """Difference of two methods, each trained several times.

    Attributes:
        difference: Mean score of the first minus that of the second.
        spread: Larger one of the two sample standard deviations over the seeds.
        counts: True if the difference may be called one.
        why: Reason in words.
    """

    difference: float
    spread: float
    counts: bool
    why: str


def compare_seeds(first: Sequence[float], second: Sequence[float]) -> SeedComparison:
    """Compare the scores of two methods over their seeds.

    The larger spread of the two decides: a steady method does not make a shaky one's gain sure. The rule is
    one of reporting, stricter than a test of the means, which gains from the number of seeds.

    Args:
        first: Scores of one method, one per seed.
        second: Scores of the other; the seeds need not be the same.

    Raises:
        BadDataError: If a method has no score.
    """
    if not first or not second:
        raise BadDataError("a method has no score", next_step="train and score each method with three seeds")
    difference = fmean(first) - fmean(second)
    spread = max(stdev(scores) if len(scores) > 1 else 0.0 for scores in (first, second))
    if min(len(first), len(second)) < LEAST_SEEDS:
        why = f"{min(len(first), len(second))} seed(s) of a method, fewer than {LEAST_SEEDS}"
        return SeedComparison(difference, spread, False, why)
    limit = SPREADS * spread
    larger = abs(difference) > limit
    word = "exceeds" if larger else "does not exceed"
    why = f"{abs(difference):.4f} {word} twice the spread of the seeds, {limit:.4f}"
    return SeedComparison(difference, spread, larger, why)
