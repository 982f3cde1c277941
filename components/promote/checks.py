"""Checks of one model alone: data, artefact, test ground, sensors, floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.lib.metrics.intervals import Interval, location_interval
from components.promote.parameters import PromoteParameters
from components.promote.scores import CleanTestScores


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: its name, whether it passed, and a sentence about the finding."""

    name: str
    passed: bool
    words: str


def data(verdict: Mapping[str, Any]) -> Check:
    """Check the data verdict; anything but a plain "good" is not good."""
    good = verdict.get("verdict") == "good"
    quarantined = f"{verdict.get('quarantined', '?')} of {verdict.get('tiles', '?')} tiles quarantined"
    return Check("data", good, f"the data verdict is {verdict.get('verdict', 'missing')!r} ({quarantined})")


def tested(challenger: CleanTestScores) -> Check:
    """Check that every sensor the challenger claims to know has clean test ground."""
    if challenger.untested:
        names = ", ".join(challenger.untested)
        return Check("ground", False, f"there is no clean test ground of {names}: nothing is proven there")
    return Check("ground", True, f"scored on clean test ground of {', '.join(challenger.sensors)}")


def values(scored: CleanTestScores, parameters: PromoteParameters) -> dict[str, Interval]:
    """Return a model's metric by sensor, with its interval."""
    return {
        sensor: value
        for sensor in scored.scored
        if (value := value_on(scored, (sensor,), parameters)) is not None
    }


def value_on(
    scored: CleanTestScores, sensors: tuple[str, ...], parameters: PromoteParameters
) -> Interval | None:
    """Return a model's metric on some sensors together; None if there is no tile of them."""
    scores = scored.on(sensors)
    if scores is None:
        return None
    return location_interval(
        scores.tiles, parameters.metric, parameters.confidence, min_blocks=parameters.min_blocks
    )


def enough_blocks(by_sensor: Mapping[str, Interval], parameters: PromoteParameters) -> Check:
    """Check that every sensor has enough ground blocks for a verdict."""
    told = ", ".join(f"{value.locations} of {sensor}" for sensor, value in by_sensor.items())
    if any(value.degenerate for value in by_sensor.values()):
        words = f"no verdict: ground blocks {told}, at least {parameters.min_blocks} of each are needed"
        return Check("blocks", False, words)
    return Check("blocks", True, f"ground blocks {told}, of at least {parameters.min_blocks}")


def floor(by_sensor: Mapping[str, Interval], parameters: PromoteParameters) -> Check:
    """Check that the metric's lower bound reaches the floor on every sensor.

    All must hold, so no correction for their number is due.
    """
    bounds = {s: v.lower_bound for s, v in by_sensor.items() if not v.degenerate}
    told = ", ".join(f"{bound:.4f} on {sensor}" for sensor, bound in bounds.items()) or "unknown"
    words = f"lower bound of {parameters.metric}: {told}; the floor is {parameters.floor:g} on each"
    reached = len(bounds) == len(by_sensor) and all(b >= parameters.floor for b in bounds.values())
    return Check("floor", reached, words)


def keeps_sensors(challenger: CleanTestScores, champion: CleanTestScores) -> Check:
    """Check that the challenger knows every sensor that the champion knows."""
    lost = [sensor for sensor in champion.sensors if sensor not in challenger.sensors]
    if lost:
        return Check("sensors", False, f"the champion knows {', '.join(lost)}, the challenger does not")
    return Check("sensors", True, "it knows every sensor that the champion knows")
