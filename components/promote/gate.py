"""Conditions that must hold before a challenger replaces a champion, as pure functions of scores.

A challenger is promoted if all of these hold:

- the data verdict is good;
- the registered artefact loads in a fresh process and reproduces its scores exactly;
- the metric's one-sided lower bound reaches ``floor``;
- every sensor the model claims to know has clean test tiles, and the champion's sensors are all among them;
- against a champion: the one-sided lower bound of the gain, by paired resampling of locations, exceeds
  ``min_gain``, so that an equal model is refused. One location has no interval and is refused;
- against a champion: no guard slice falls by more than ``guard_margin``. This is a limit on the measured
  fall, not a test: slices are small, and their intervals are recorded beside it.

The first model of a name has no champion to beat; the other checks hold for it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from components.lib.metrics.bootstrap import Interval, location_interval, paired_location_difference
from components.lib.scoring.score import Scores
from components.lib.scoring.slices import slice_tables
from components.promote.parameters import PromoteParameters
from components.promote.reproduce import Reproduction
from components.promote.scores import CleanTestScores

SEED = 0
"""Seed of the bootstrap draws: fixed, so that a decision can be repeated."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: its name, whether it passed, and a sentence about the finding."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class GuardedSlice:
    """Comparison of both models on one slice.

    Attributes:
        slice: ``dimension/name``.
        metric: ``iou``, or ``f1`` where the slice selects buildings rather than pixels.
        challenger: Value of the challenger.
        champion: Value of the champion.
        difference: Challenger minus champion.
        passed: True if it fell by no more than the margin.
    """

    slice: str
    metric: str
    challenger: float
    champion: float
    difference: Interval
    passed: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """Outcome of the gate and everything it rests on.

    Attributes:
        promoted: True if every check passed.
        checks: In the order of the module's description.
        sensors: Sensors both models were compared on (all of the challenger's, if there is no champion).
        challenger: The challenger's metric on those sensors; None without a single tile.
        champion: The champion's metric, None if there is no champion.
        gain: Challenger minus champion, None without a champion.
        guards: The guard slices.
        tiles: Tiles compared.
    """

    promoted: bool
    checks: tuple[Check, ...]
    sensors: tuple[str, ...]
    challenger: Interval | None
    champion: Interval | None
    gain: Interval | None
    guards: tuple[GuardedSlice, ...]
    tiles: int

    @property
    def failures(self) -> list[str]:
        """Return the reasons for a refusal; empty if promoted."""
        return [check.words for check in self.checks if not check.passed]


def judge(
    challenger: CleanTestScores,
    champion: CleanTestScores | None,
    *,
    verdict: Mapping[str, Any],
    reproduction: Reproduction,
    parameters: PromoteParameters,
    same_model: bool = False,
) -> Judgement:
    """Judge a challenger.

    Args:
        challenger: Scores of the challenger.
        champion: Scores of the champion on the same store, None if there is no champion.
        verdict: ``reports/validate/verdict.json``.
        reproduction: Reproduction of the challenger's registered artefact.
        parameters: Section ``promote``.
        same_model: True if the challenger is the champion itself, for the wording.
    """
    sensors = tuple(s for s in challenger.sensors if champion is None or s in champion.sensors)
    challenger_scores = challenger.on(sensors)
    value = _value(challenger_scores, parameters)
    champion_scores = None if champion is None else champion.on(sensors)
    checks = [
        _data(verdict),
        Check("reproduction", reproduction.passed, reproduction.words),
        _tested(challenger),
        *([] if value is None else [_floor(value, parameters)]),
        *([] if champion is None else [_keeps_sensors(challenger, champion)]),
    ]
    gain: Interval | None = None
    guards: tuple[GuardedSlice, ...] = ()
    if challenger_scores is not None and champion_scores is not None:
        gain = _compare(challenger_scores.tiles, champion_scores.tiles, parameters.metric, parameters)
        guards = _guards(challenger_scores, champion_scores, parameters)
        checks += [_gain(gain, parameters, same_model), _guarded(guards, parameters)]
    elif champion is not None:
        checks.append(
            Check("gain", False, "there is no clean test tile on which both models can be compared")
        )
    return Judgement(
        promoted=all(check.passed for check in checks),
        checks=tuple(checks),
        sensors=sensors,
        challenger=value,
        champion=_value(champion_scores, parameters),
        gain=gain,
        guards=guards,
        tiles=0 if challenger_scores is None else len(challenger_scores.tiles),
    )


def _data(verdict: Mapping[str, Any]) -> Check:
    # Anything but a plain "good" is not good.
    good = verdict.get("verdict") == "good"
    quarantined = f"{verdict.get('quarantined', '?')} of {verdict.get('tiles', '?')} tiles quarantined"
    return Check("data", good, f"the data verdict is {verdict.get('verdict', 'missing')!r} ({quarantined})")


def _tested(challenger: CleanTestScores) -> Check:
    if challenger.untested:
        names = ", ".join(challenger.untested)
        return Check("ground", False, f"there is no clean test tile of {names}: nothing is proven there")
    return Check("ground", True, f"scored on clean test tiles of {', '.join(challenger.sensors)}")


def _keeps_sensors(challenger: CleanTestScores, champion: CleanTestScores) -> Check:
    lost = [sensor for sensor in champion.sensors if sensor not in challenger.sensors]
    if lost:
        return Check("sensors", False, f"the champion knows {', '.join(lost)}, the challenger does not")
    return Check("sensors", True, "it knows every sensor that the champion knows")


def _gain(gain: Interval, parameters: PromoteParameters, same_model: bool) -> Check:
    if gain.degenerate:
        words = f"one location only: a gain of {gain.value:+.4f} cannot be told from chance"
        return Check("gain", False, words)
    words = (
        f"{'it is the champion itself: ' if same_model else ''}"
        f"the gain in {parameters.metric} is {gain.value:+.4f}, its one-sided {parameters.confidence:.0%} "
        f"lower bound over {gain.locations} locations {gain.lower_bound:+.4f}; "
        f"the bound must exceed {parameters.min_gain:.4f}"
    )
    return Check("gain", gain.lower_bound > parameters.min_gain, words)


def _guards(
    challenger_scores: Scores, champion_scores: Scores, parameters: PromoteParameters
) -> tuple[GuardedSlice, ...]:
    first, second = slice_tables(challenger_scores), slice_tables(champion_scores)
    guards = []
    for dimension in parameters.guard_slices:
        for name, tiles in first[dimension].items():
            other = second[dimension].get(name)
            if other is None:
                continue  # no building of that size, and no proposal of the champion's either
            metric = parameters.metric if "px_tp" in tiles.columns else "f1"
            difference = _compare(tiles, other, metric, parameters)
            value = location_interval(tiles, metric, parameters.confidence, 1, SEED).value
            guards.append(
                GuardedSlice(
                    slice=f"{dimension}/{name}",
                    metric=metric,
                    challenger=value,
                    champion=value - difference.value,
                    difference=difference,
                    passed=difference.value >= -parameters.guard_margin,
                )
            )
    return tuple(guards)


def _guarded(guards: tuple[GuardedSlice, ...], parameters: PromoteParameters) -> Check:
    fallen = sorted((guard for guard in guards if not guard.passed), key=lambda g: g.difference.value)
    if fallen:
        falls = ", ".join(f"{g.slice} {g.difference.value:+.4f} {g.metric}" for g in fallen)
        count = f"{len(fallen)} of {len(guards)} guard slices"
        return Check("guards", False, f"{count} fell by more than {parameters.guard_margin}: {falls}")
    return Check(
        "guards", True, f"none of {len(guards)} guard slices fell by more than {parameters.guard_margin}"
    )


def _compare(a: pd.DataFrame, b: pd.DataFrame, metric: str, parameters: PromoteParameters) -> Interval:
    return paired_location_difference(a, b, metric, parameters.confidence, parameters.resamples, SEED)


def _floor(value: Interval, parameters: PromoteParameters) -> Check:
    words = f"the lower bound of {parameters.metric}, {value.lower_bound:.4f}, "
    if value.lower_bound >= parameters.floor:
        return Check("floor", True, words + f"reaches the floor of {parameters.floor:g}")
    return Check("floor", False, words + f"is below the floor of {parameters.floor:g}")


def _value(scores: Scores | None, parameters: PromoteParameters) -> Interval | None:
    if scores is None:
        return None
    return location_interval(
        scores.tiles, parameters.metric, parameters.confidence, parameters.resamples, SEED
    )
