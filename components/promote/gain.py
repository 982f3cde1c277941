"""Gain of the challenger over champion and control, training noise included.

Challenger and rival are one training each, so the variance of their difference is that over ground blocks
plus twice the variance between trainings of one recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.lib.metrics.intervals import (
    Interval,
    detectable_difference,
    paired_location_difference,
    unknown_interval,
)
from components.lib.registry.budget import level_of, remaining
from components.promote.checks import Check
from components.promote.parameters import PromoteParameters
from components.promote.scores import CleanTestScores

POWER = 0.8
"""Power of which the record states the gain that is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainTest:
    """Test of the gain over the champion.

    Attributes:
        number: Number of the challenger among those judged in the champion line; None for the champion
            itself, which spends nothing.
        level: Probability of promoting a challenger that is no better.
        remaining: What is left of the error budget for later challengers.
        gain: Gain with its interval, training noise included.
        bound: One-sided lower bound at ``level``; None if there are too few blocks.
        detectable: True gain that is found with 80 % power; None if there are too few blocks.
    """

    number: int | None
    level: float
    remaining: float
    gain: Interval
    bound: float | None
    detectable: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of the test itself, ready for JSON."""
        return {
            "number": self.number,
            "level": self.level,
            "remaining": self.remaining,
            "bound": self.bound,
            "detectable": self.detectable,
            "power": POWER,
        }


def difference(
    challenger: CleanTestScores,
    rival: CleanTestScores,
    sensors: tuple[str, ...],
    parameters: PromoteParameters,
) -> Interval | None:
    """Return challenger minus rival on some sensors; None where there is no tile of them."""
    first, second = challenger.on(sensors), rival.on(sensors)
    if first is None or second is None:
        return None
    found = paired_location_difference(
        first.tiles,
        second.tiles,
        parameters.metric,
        parameters.confidence,
        min_blocks=parameters.min_blocks,
    )
    variance = parameters.training_variance
    if variance is None:
        return unknown_interval(found.value, found.confidence, found.locations)
    return found.with_variance(variance)


def gain_test(gain: Interval, number: int | None, parameters: PromoteParameters) -> GainTest:
    """Return the test of a gain over the champion, at the level of the challenger's number."""
    level = level_of(parameters.error_budget, number or 1)
    known = not gain.degenerate
    return GainTest(
        number=number,
        level=level,
        remaining=parameters.error_budget if number is None else remaining(parameters.error_budget, number),
        gain=gain,
        bound=gain.lower_at(level) if known else None,
        detectable=parameters.min_gain
        + detectable_difference(gain.standard_error, gain.freedom, level=level, power=POWER)
        if known and gain.standard_error
        else None,
    )


def over_champion(test: GainTest, parameters: PromoteParameters) -> Check:
    """Check that the gain's lower bound exceeds ``min_gain``."""
    if test.bound is None:
        return Check("gain", False, _unknown(test.gain, "champion", parameters))
    itself = "it is the champion itself: " if test.number is None else ""
    words = (
        f"{itself}the gain in {parameters.metric} is {test.gain.value:+.4f}, its lower bound over "
        f"{test.gain.locations} ground blocks and trainings {test.bound:+.4f} at level {test.level:.4g}; "
        f"the bound must exceed {parameters.min_gain:.4f}"
    )
    return Check("gain", test.number is not None and test.bound > parameters.min_gain, words)


def on_new_sensors(
    challenger: CleanTestScores, champion: CleanTestScores, parameters: PromoteParameters
) -> tuple[dict[str, Interval], list[Check]]:
    """Compare with the unadapted champion on every sensor that it does not know.

    Returns:
        The gains by sensor, and one check each.
    """
    gains, checks = {}, []
    for sensor in champion.unadapted:
        gain = difference(challenger, champion, (sensor,), parameters)
        if gain is None:
            continue
        gains[sensor] = gain
        words = _unknown(gain, f"unadapted champion on {sensor}", parameters)
        if not gain.degenerate:
            words = (
                f"on {sensor}, which the champion does not know, the gain over the unadapted champion is "
                f"{gain.value:+.4f}, its lower bound {gain.lower_bound:+.4f}; it must exceed "
                f"{parameters.min_gain:.4f}"
            )
        passed = not gain.degenerate and gain.lower_bound > parameters.min_gain
        checks.append(Check("new sensor", passed, words))
    return gains, checks


def over_control(
    challenger: CleanTestScores, control: CleanTestScores, name: str, parameters: PromoteParameters
) -> tuple[Interval | None, Check]:
    """Compare with the control, which messages call ``name``, on the sensors that both know."""
    shared = tuple(s for s in control.scored if s in challenger.scored)
    gain = difference(challenger, control, shared, parameters)
    if gain is None:
        told = parameters.min_control_gain is None
        return None, Check("control", told, "there is no clean test ground that challenger and control share")
    least = parameters.min_control_gain
    if gain.degenerate:
        return gain, Check("control", least is None, _unknown(gain, name, parameters))
    words = (
        f"the gain over the {name} on {', '.join(shared)} is {gain.value:+.4f}, its lower bound "
        f"{gain.lower_bound:+.4f}; "
    )
    if least is None:
        return gain, Check("control", True, words + "it is reported only (min_control_gain: null)")
    return gain, Check("control", gain.lower_bound > least, words + f"it must exceed {least:.4f}")


def _unknown(gain: Interval, rival: str, parameters: PromoteParameters) -> str:
    if parameters.training_variance is None:
        return (
            f"the spread of {parameters.metric} between trainings is not measured (training_spread is null): "
            f"a gain of {gain.value:+.4f} over the {rival} cannot be told from it"
        )
    return (
        f"{gain.locations} ground blocks only: a gain of {gain.value:+.4f} over the {rival} cannot be told "
        "from chance"
    )
