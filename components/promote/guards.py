"""Guards: no slice of the test ground may be shown to fall by more than a margin.

A slice refuses if a one-sided test shows that it fell by more than ``guard_margin``; a small slice that may
have fallen by chance does not. The slices are tested together by Holm's procedure (Scand. J. Statist. 6,
1979), so that the chance that any of them refuses without such a fall is at most ``guard_level``. Training
noise is left out on purpose: these very weights would be served, however they came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from components.lib.metrics.counts import Counts
from components.lib.metrics.intervals import Interval, location_interval, paired_location_difference
from components.lib.scoring.score import Scores
from components.lib.scoring.slices import slice_tables
from components.promote.checks import Check
from components.promote.parameters import PromoteParameters


@dataclass(frozen=True, slots=True)
class GuardedSlice:
    """Comparison of both models on one slice.

    Attributes:
        slice: ``dimension/name``.
        metric: ``iou``, or ``f1`` where the slice selects buildings rather than pixels.
        challenger: Value of the challenger.
        champion: Value of the champion.
        difference: Challenger minus champion.
        buildings: True buildings, counted in every tile that shows them.
        judged: True if the slice is large enough to be tested.
        p_value: Of the test that it fell by no more than the margin.
        passed: True unless the test shows a larger fall.
    """

    slice: str
    metric: str
    challenger: float
    champion: float
    difference: Interval
    buildings: int
    judged: bool
    p_value: float
    passed: bool


def guarded_slices(
    challenger: Scores, champion: Scores, parameters: PromoteParameters
) -> tuple[GuardedSlice, ...]:
    """Compare both models on every slice, and test those that are large enough together."""
    if not parameters.guard_slices:
        return ()
    first, second = slice_tables(challenger), slice_tables(champion)
    compared = [
        _compared(f"{dimension}/{name}", tables, second[dimension][name], parameters)
        for dimension in parameters.guard_slices
        for name, tables in first[dimension].items()
        if name in second[dimension]  # else: no building of that size, and no proposal of the champion's
    ]
    return tuple(holm(compared, parameters.guard_level))


def _compared(
    name: str, challenger: pd.DataFrame, champion: pd.DataFrame, parameters: PromoteParameters
) -> GuardedSlice:
    metric = parameters.metric if "px_tp" in challenger.columns else "f1"
    least = parameters.min_slice_blocks
    difference = paired_location_difference(
        challenger, champion, metric, parameters.confidence, min_blocks=least
    )
    value = location_interval(challenger, metric, parameters.confidence, min_blocks=least).value
    truth = Counts.of_buildings(champion)
    buildings = truth.tp + truth.fn
    return GuardedSlice(
        slice=name,
        metric=metric,
        challenger=value,
        champion=value - difference.value,
        difference=difference,
        buildings=buildings,
        judged=not difference.degenerate and buildings >= parameters.min_slice_buildings,
        p_value=difference.chance_of_less(-parameters.guard_margin),
        passed=True,
    )


def holm(slices: Sequence[GuardedSlice], level: float) -> list[GuardedSlice]:
    """Return the slices, those that fell by Holm's procedure not passed."""
    judged = sorted((s for s in slices if s.judged), key=lambda s: s.p_value)
    fallen: set[str] = set()
    for rank, found in enumerate(judged):
        if found.p_value > level / (len(judged) - rank):
            break
        fallen.add(found.slice)
    return [replace(s, passed=s.slice not in fallen) for s in slices]


def guarded(slices: Sequence[GuardedSlice], parameters: PromoteParameters) -> Check:
    """Check that no slice is shown to fall by more than the margin."""
    if not parameters.guard_slices:
        return Check("guards", True, "no slice is guarded: guard_slices is empty, as for pairs of dates")
    fallen = sorted((s for s in slices if not s.passed), key=lambda s: s.difference.value)
    count = sum(s.judged for s in slices)
    margin = f"{parameters.guard_margin:g}"
    if fallen:
        falls = ", ".join(f"{s.slice} {s.difference.value:+.4f} {s.metric}" for s in fallen)
        words = f"{len(fallen)} of {count} judged guard slices are shown to fall by more than {margin}: "
        return Check("guards", False, words + falls)
    small = f"; {len(slices) - count} too small to judge" if len(slices) > count else ""
    words = f"none of {count} judged guard slices is shown to fall by more than {margin}{small}"
    return Check("guards", True, words)
