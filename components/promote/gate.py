"""Conditions that must hold before a challenger replaces a champion, as pure functions of scores.

A challenger is promoted if all of these hold:

- the data verdict is good;
- the registered artefact loads in a fresh process and reproduces its scores exactly;
- every sensor the model claims to know has clean test ground, and the champion's sensors are all among them;
- every sensor has at least ``min_blocks`` ground blocks: with fewer there is no verdict;
- the metric's one-sided lower bound reaches ``floor`` on every sensor;
- against a control: the lower bound of the gain exceeds ``min_control_gain``;
- against a champion: the lower bound of the gain exceeds ``min_gain`` at the level that the error budget
  leaves to this challenger. On a sensor that the champion does not know, the champion is scored unadapted,
  and the gain there must exceed ``min_gain`` as well;
- against a champion: no guard slice is shown to fall by more than ``guard_margin``.

Gains carry the noise of training. The first model of a name has no champion to beat; the other checks hold
for it too. How the tests behave: docs/methods/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.lib.metrics.intervals import Interval
from components.lib.scoring.tables import tile_count
from components.promote import checks, gain, guards
from components.promote.checks import Check
from components.promote.gain import GainTest
from components.promote.guards import GuardedSlice
from components.promote.parameters import PromoteParameters
from components.promote.reproduce import Reproduction
from components.promote.scores import CleanTestScores


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """Models that the challenger is compared with.

    Attributes:
        champion: The champion's scores on the same store, on sensors that only the challenger knows
            unadapted; None if there is no champion.
        number: Number of the challenger among those judged in the champion line; None if it is the champion
            itself, or there is none.
        control: The control's scores; None where the challenger has no control.
        control_name: The control in words.
        own_line: True if the challenger was made from the control and is not compared with it.
    """

    champion: CleanTestScores | None = None
    number: int | None = None
    control: CleanTestScores | None = None
    control_name: str = "control"
    own_line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Outcome of the gate and everything it rests on.

    Attributes:
        promoted: True if every check passed.
        checks: In the order of the module's description.
        sensors: Sensors both models were compared on (all of the challenger's, if there is no champion).
        challenger: The challenger's metric on those sensors; None without a single tile.
        champion: The champion's metric, None if there is no champion.
        test: The test of the gain, None without a champion.
        by_sensor: The challenger's metric by sensor.
        champion_by_sensor: The champion's, unadapted where it does not know the sensor.
        new_sensors: Gain over the unadapted champion by sensor that it does not know.
        control_gain: Gain over the control, None without one.
        guards: The guard slices.
        tiles: Tiles compared.
    """

    promoted: bool
    checks: tuple[Check, ...]
    sensors: tuple[str, ...]
    challenger: Interval | None
    champion: Interval | None = None
    test: GainTest | None = None
    by_sensor: Mapping[str, Interval] = field(default_factory=dict)
    champion_by_sensor: Mapping[str, Interval] = field(default_factory=dict)
    new_sensors: Mapping[str, Interval] = field(default_factory=dict)
    control_gain: Interval | None = None
    guards: tuple[GuardedSlice, ...] = ()
    tiles: int = 0

    @property
    def gain(self) -> Interval | None:
        """Return challenger minus champion, None without a champion."""
        return None if self.test is None else self.test.gain

    @property
    def failures(self) -> list[str]:
        """Return the reasons for a refusal; empty if promoted."""
        return [check.words for check in self.checks if not check.passed]


def judge(
    challenger: CleanTestScores,
    rivals: Rivals,
    *,
    data: Check,
    reproduction: Reproduction,
    parameters: PromoteParameters,
) -> Judgement:
    """Judge a challenger.

    Args:
        challenger: Scores of the challenger.
        rivals: Champion and control.
        data: Check of the data that the challenger was made from.
        reproduction: Reproduction of the challenger's registered artefact.
        parameters: Section ``promote``.
    """
    champion = rivals.champion
    sensors = tuple(s for s in challenger.sensors if champion is None or s in champion.scored)
    by_sensor = checks.values(challenger, parameters)
    done = [
        data,
        Check("reproduction", reproduction.passed, reproduction.words),
        checks.tested(challenger),
        *([] if champion is None else [checks.keeps_sensors(challenger, champion)]),
    ]
    if by_sensor:
        done += [checks.enough_blocks(by_sensor, parameters), checks.floor(by_sensor, parameters)]
    control_gain, control = _control(challenger, rivals, parameters)
    done += control
    compared = _Compared()
    if champion is not None:
        compared = _compare(challenger, champion, sensors, rivals, parameters)
    done += compared.checks
    own = challenger.on(sensors)
    return Judgement(
        promoted=all(check.passed for check in done),
        checks=tuple(done),
        sensors=sensors,
        challenger=checks.value_on(challenger, sensors, parameters),
        champion=None if champion is None else checks.value_on(champion, sensors, parameters),
        test=compared.test,
        by_sensor=by_sensor,
        champion_by_sensor={} if champion is None else checks.values(champion, parameters),
        new_sensors=compared.new_sensors,
        control_gain=control_gain,
        guards=compared.guards,
        tiles=0 if own is None else tile_count(own.tiles),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    checks: tuple[Check, ...] = ()
    test: GainTest | None = None
    new_sensors: Mapping[str, Interval] = field(default_factory=dict)
    guards: tuple[GuardedSlice, ...] = ()


def _compare(
    challenger: CleanTestScores,
    champion: CleanTestScores,
    sensors: tuple[str, ...],
    rivals: Rivals,
    parameters: PromoteParameters,
) -> _Compared:
    first, second = challenger.on(sensors), champion.on(sensors)
    gained = gain.difference(challenger, champion, sensors, parameters)
    if first is None or second is None or gained is None:
        nothing = "there is no clean test ground on which both models can be compared"
        return _Compared(checks=(Check("gain", False, nothing),))
    test = gain.gain_test(gained, rivals.number, parameters)
    new_sensors, on_new = gain.on_new_sensors(challenger, champion, parameters)
    slices = guards.guarded_slices(first, second, parameters)
    return _Compared(
        checks=(gain.over_champion(test, parameters), *on_new, guards.guarded(slices, parameters)),
        test=test,
        new_sensors=new_sensors,
        guards=slices,
    )


def _control(
    challenger: CleanTestScores, rivals: Rivals, parameters: PromoteParameters
) -> tuple[Interval | None, list[Check]]:
    if rivals.own_line:
        return None, [
            Check("control", True, f"it was made from the {rivals.control_name}: not compared with it")
        ]
    if rivals.control is None:
        return None, []
    found, check = gain.over_control(challenger, rivals.control, rivals.control_name, parameters)
    return found, [check]
