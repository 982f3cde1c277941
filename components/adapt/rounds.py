"""When pseudo-labels are made."""

from __future__ import annotations

from bisect import bisect_right


def round_starts(steps: int, *, warmup_share: float, rounds: int) -> list[int]:
    """First step of each round: evenly spaced after the warm-up, as at 10,000, 12,000, 14,000 of 15,000.

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
    """Round that ``step`` belongs to, -1 during the warm-up."""
    return bisect_right(starts, step) - 1
