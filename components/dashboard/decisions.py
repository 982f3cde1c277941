"""Parts of a decision record as pages show them; a part of another form is left out, not failed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """Check of the gate: its name, whether it passed, and why in words."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class SensorScore:
    """Score of a challenger on one sensor, and its champion's before.

    Attributes:
        sensor: Name of the sensor.
        value: Score; None if there is none.
        low: Lower end of its interval; None without one.
        high: Upper end of it.
        before: Score of the champion before it on the same tiles; None if there was none.
    """

    sensor: str
    value: float | None
    low: float | None
    high: float | None
    before: float | None


def checks_of(decision: Mapping[str, Any]) -> list[Check]:
    """Return the checks of a decision, in its order.

    >>> checks_of({"checks": [{"name": "floor", "passed": True, "words": "w"}, "?"]})
    [Check(name='floor', passed=True, words='w')]
    """
    found = decision.get("checks")
    return [
        Check(str(one.get("name", "")), one.get("passed") is True, str(one.get("words", "")))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, Mapping)
    ]


def sensors_of(decision: Mapping[str, Any]) -> list[SensorScore]:
    """Return the scores of a decision by sensor, sorted by name."""
    found = decision.get("by_sensor")
    scores = found if isinstance(found, Mapping) else {}
    return [_sensor(str(name), one) for name, one in sorted(scores.items()) if isinstance(one, Mapping)]


def _sensor(name: str, scores: Mapping[str, Any]) -> SensorScore:
    own, before = scores.get("challenger"), scores.get("champion")
    sure = isinstance(own, Mapping) and own.get("degenerate") is not True
    return SensorScore(
        name,
        _number(own, "value"),
        _number(own, "low") if sure else None,
        _number(own, "high") if sure else None,
        _number(before, "value"),
    )


def _number(score: object, name: str) -> float | None:
    value = score.get(name) if isinstance(score, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
