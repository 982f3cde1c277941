"""Retry budgets: the number of retries for each kind of failure, and the decision about one failed try.

An orchestrator counts tries, not reasons: ten evictions would use up the one retry that a failing source was
granted. Here each kind has its own budget: a number of retries, or, for what is waited for (a free node, a
bucket that answers), the hours within which it is tried again. Infrastructure has the same for every stage
(``infrastructure_retries`` in section ``orchestration`` of ``params.yaml``), the rest by the stage's retry
class (``retries``). A kind that no budget names is not retried; final kinds (bad data, gate refusals, ...)
cannot be named.

A worker that dies under a task leaves no failure to judge, so such a try is not counted against any budget:
``WORKER_LOSSES`` tries are added for it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.contract.failures import FROM_CLUSTER, NEVER_RETRIED, FailureKind

WORKER_LOSSES = 3
"""Tries that may end without a decision because the worker died."""

LONGEST_DELAY_S = 1800.0

SHORTEST_WAIT_S = 30.0
"""Wait at least before each retry of a budget of hours, seconds: it bounds their number."""

_HOURS = re.compile(r"(\d+(?:\.\d+)?)h")


class History(TypedDict):
    """Failures of the earlier tries of a task instance.

    Attributes:
        epoch: Airflow's ``max_tries``, which grows when a person clears the task: budgets start anew then.
        kinds: Kind of failure by try number; written twice for one try, it still counts once.
        times: Time of the failure by try number, seconds since 1970.
    """

    epoch: int
    kinds: dict[str, str]
    times: dict[str, float]


@dataclass(frozen=True)
class Budget:
    """Retries by kind of failure.

    Attributes:
        retries: Number of retries; a kind that is in neither mapping has none.
        delay_s: Wait before a kind's first retry, seconds; doubles with each, up to half an hour.
        hours: Hours that may pass from the first to the last of a kind's failures in a row.
    """

    retries: Mapping[FailureKind, int] = field(default_factory=dict)
    delay_s: float = 60.0
    hours: Mapping[FailureKind, float] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of retries the orchestrator must allow so that no budget is cut short."""
        return sum(self.retries.values()) + sum(map(self.most, self.hours)) + WORKER_LOSSES

    def delay(self, nth: int, kind: FailureKind | None = None) -> float:
        """Return the wait before the ``nth`` retry of a kind (from 1), seconds."""
        delay = float(min(self.delay_s * 2.0 ** min(nth - 1, 32), LONGEST_DELAY_S))
        return max(delay, SHORTEST_WAIT_S) if kind in self.hours else delay

    def most(self, kind: FailureKind) -> int:
        """Return the number of retries that fit into a kind's hours, if each fails at once."""
        waited, number = 0.0, 0
        while waited <= self.hours[kind] * 3600:
            number += 1
            waited += self.delay(number, kind)
        return number


def load_budget(orchestration: Mapping[str, Any], retry: str | None) -> Budget:
    """Read the budget of a retry class from the section ``orchestration`` of ``params.yaml``.

    Args:
        orchestration: The section.
        retry: The stage's retry class; ``None`` leaves the infrastructure's budget alone.

    Raises:
        ParameterError: If a class or kind is unknown, a kind is final, or a number is negative.
    """
    infrastructure = _kinds(
        orchestration.get("infrastructure_retries") or {}, "orchestration.infrastructure_retries"
    )
    if wrong := set(infrastructure) - FROM_CLUSTER:
        raise ParameterError(
            f"params.yaml: orchestration.infrastructure_retries names {min(wrong)}, which the work causes",
            next_step="move it to a class of orchestration.retries",
        )
    own: dict[FailureKind, int | float] = {}
    if retry is not None:
        classes = orchestration.get("retries") or {}
        if retry not in classes:
            raise ParameterError(
                f"params.yaml: orchestration.retries has no class {retry!r}{nearest(retry, classes)}",
                next_step="add the class, or name another one in meta.retry of the stage in dvc.yaml",
            )
        own = _kinds(classes[retry] or {}, f"orchestration.retries.{retry}")
    if twice := set(own) & FROM_CLUSTER:
        raise ParameterError(
            f"params.yaml: orchestration.retries.{retry} names {min(twice)}, which the infrastructure causes",
            next_step="move it to orchestration.infrastructure_retries",
        )
    granted = {**infrastructure, **own}
    return Budget(
        retries={kind: value for kind, value in granted.items() if isinstance(value, int)},
        delay_s=float(orchestration.get("retry_delay_s", 60)),
        hours={kind: value for kind, value in granted.items() if isinstance(value, float)},
    )


def _kinds(numbers: Mapping[str, Any], where: str) -> dict[FailureKind, int | float]:
    """Check one mapping of kinds to numbers of retries (int) or hours (``"6h"``, returned as float)."""
    names = sorted(kind.value for kind in set(FailureKind) - NEVER_RETRIED)
    found: dict[FailureKind, int | float] = {}
    for name, number in numbers.items():
        if name not in names:
            final = " it is never retried" if name in set(FailureKind) else f" unknown{nearest(name, names)}"
            raise ParameterError(
                f"params.yaml: {where}.{name}:{final}", next_step=f"name one of {', '.join(names)}"
            )
        found[FailureKind(name)] = _granted(number, f"{where}.{name}")
    return found


def _granted(value: object, where: str) -> int | float:
    """Return a number of retries as int, hours as float."""
    if isinstance(value, str) and (hours := _HOURS.fullmatch(value)):
        return float(hours[1])
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ParameterError(
            f"params.yaml: {where} is {value!r}",
            next_step="give a whole number, 0 or more, or hours as in 24h",
        )
    return value


@dataclass(frozen=True)
class RetryVerdict:
    """Decision about one failed try.

    Attributes:
        retry: ``True`` if the work is tried again.
        delay_s: Wait before the next try, seconds.
        reason: The decision in words, for people.
        history: History that includes this try.
    """

    retry: bool
    delay_s: float
    reason: str
    history: History


def judge(
    kind: FailureKind, try_number: int, max_tries: int, stored: object, budget: Budget, *, now: float
) -> RetryVerdict:
    """Decide about one failed try.

    Args:
        kind: Kind of failure of this try.
        try_number: Airflow's number of this try, from 1.
        max_tries: Airflow's limit; it grows when a person clears the task.
        stored: History of earlier tries; anything but a history counts as none.
        budget: Granted retries.
        now: The present, seconds since 1970.
    """
    kinds = {number: k for number, k in _read(stored, max_tries, "kinds").items() if int(number) < try_number}
    times = {number: t for number, t in _read(stored, max_tries, "times").items() if number in kinds}
    kinds[str(try_number)], times[str(try_number)] = kind.value, now
    history = History(
        epoch=max_tries,
        kinds={number: str(value) for number, value in kinds.items()},
        times={number: float(value) for number, value in times.items()},
    )
    failed = sum(k == kind.value for k in kinds.values())
    if kind in budget.hours and kind not in NEVER_RETRIED:
        return _within_hours(kind, failed, history, budget)
    granted = 0 if kind in NEVER_RETRIED else budget.retries.get(kind, 0)
    if failed <= granted:
        return RetryVerdict(True, budget.delay(failed), f"{kind}: retry {failed} of {granted}", history)
    words = f"all {granted} retries are used" if granted else "it is not retried"
    return RetryVerdict(False, 0.0, f"{kind}: {words}", history)


def _within_hours(kind: FailureKind, failed: int, history: History, budget: Budget) -> RetryVerdict:
    hours, waited = budget.hours[kind], _waited_s(kind, history) / 3600
    if waited <= hours and failed <= budget.most(kind):  # rows may be many, between failures of other kinds
        words = f"{kind}: retry {failed}, {waited:.1f} of {hours:g} hours are over"
        return RetryVerdict(True, budget.delay(failed, kind), words, history)
    return RetryVerdict(False, 0.0, f"{kind}: it did not pass within {hours:g} hours", history)


def _waited_s(kind: FailureKind, history: History) -> float:
    """Return the seconds between failures of this kind that follow each other directly, together."""
    numbers = sorted(history["kinds"], key=int)
    return sum(
        max(0.0, history["times"].get(later, 0.0) - history["times"].get(earlier, 0.0))
        for earlier, later in itertools.pairwise(numbers)
        if history["kinds"][earlier] == history["kinds"][later] == kind.value
    )


def _read(stored: object, epoch: int, name: Literal["kinds", "times"]) -> dict[str, Any]:
    """Return kinds or times of earlier tries; a damaged or an outdated history gives none."""
    if not isinstance(stored, dict) or stored.get("epoch") != epoch:
        return {}
    values = stored.get(name)
    wanted = str if name == "kinds" else (int, float)
    if not isinstance(values, dict):
        return {}
    return {
        str(number): value
        for number, value in values.items()
        if str(number).isdecimal() and isinstance(value, wanted)
    }
