"""Retry budgets: the number of retries for each kind of failure, and the decision about one failed try.

An orchestrator counts tries, not reasons: ten evictions would use up the one retry that a failing source was
granted. Here each kind has its own budget. Infrastructure has the same for every stage
(``infrastructure_retries`` in section ``orchestration`` of ``params.yaml``), the rest by the stage's retry
class (``retries``). A kind that no budget names is not retried; final kinds (bad data, gate refusals, ...)
cannot be named.

A worker that dies under a task leaves no failure to judge, so such a try is not counted against any budget:
``WORKER_LOSSES`` tries are added for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.contract.failures import FROM_CLUSTER, NEVER_RETRIED, FailureKind

WORKER_LOSSES = 3
"""Tries that may end without a decision because the worker died."""

LONGEST_DELAY_S = 1800.0


class History(TypedDict):
    """Failures of the earlier tries of a task instance.

    Attributes:
        epoch: Airflow's ``max_tries``, which grows when a person clears the task: budgets start anew then.
        kinds: Kind of failure by try number; written twice for one try, it still counts once.
    """

    epoch: int
    kinds: dict[str, str]


@dataclass(frozen=True)
class Budget:
    """Retries by kind of failure.

    Attributes:
        retries: Number of retries; a kind that is missing has none.
        delay_s: Wait before a kind's first retry, seconds; doubles with each, up to half an hour.
    """

    retries: Mapping[FailureKind, int] = field(default_factory=dict)
    delay_s: float = 60.0

    @property
    def total(self) -> int:
        """Number of retries the orchestrator must allow so that no budget is cut short."""
        return sum(self.retries.values()) + WORKER_LOSSES

    def delay(self, nth: int) -> float:
        """Return the wait before the ``nth`` retry of a kind (from 1), seconds."""
        return float(min(self.delay_s * 2.0 ** min(nth - 1, 32), LONGEST_DELAY_S))


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
    own: dict[FailureKind, int] = {}
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
    return Budget({**infrastructure, **own}, float(orchestration.get("retry_delay_s", 60)))


def _kinds(numbers: Mapping[str, Any], where: str) -> dict[FailureKind, int]:
    """Check one mapping of kinds to numbers of retries."""
    names = sorted(kind.value for kind in set(FailureKind) - NEVER_RETRIED)
    found: dict[FailureKind, int] = {}
    for name, number in numbers.items():
        if name not in names:
            final = " it is never retried" if name in set(FailureKind) else f" unknown{nearest(name, names)}"
            raise ParameterError(
                f"params.yaml: {where}.{name}:{final}", next_step=f"name one of {', '.join(names)}"
            )
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ParameterError(
                f"params.yaml: {where}.{name} is {number!r}", next_step="give a whole number, 0 or more"
            )
        found[FailureKind(name)] = number
    return found


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


def judge(kind: FailureKind, try_number: int, max_tries: int, stored: object, budget: Budget) -> RetryVerdict:
    """Decide about one failed try.

    Args:
        kind: Kind of failure of this try.
        try_number: Airflow's number of this try, from 1.
        max_tries: Airflow's limit; it grows when a person clears the task.
        stored: History of earlier tries; anything but a history counts as none.
        budget: Granted retries.
    """
    kinds = {number: k for number, k in _read(stored, max_tries).items() if int(number) < try_number}
    kinds[str(try_number)] = kind.value
    history = History(epoch=max_tries, kinds=kinds)
    failed = sum(k == kind.value for k in kinds.values())
    granted = 0 if kind in NEVER_RETRIED else budget.retries.get(kind, 0)
    if failed <= granted:
        return RetryVerdict(True, budget.delay(failed), f"{kind}: retry {failed} of {granted}", history)
    words = f"all {granted} retries are used" if granted else "it is not retried"
    return RetryVerdict(False, 0.0, f"{kind}: {words}", history)


def _read(stored: object, epoch: int) -> dict[str, str]:
    """Return the kinds of earlier tries; a damaged or an outdated history gives none."""
    if not isinstance(stored, dict) or stored.get("epoch") != epoch:
        return {}
    kinds = stored.get("kinds")
    if not isinstance(kinds, dict):
        return {}
    return {str(number): str(kind) for number, kind in kinds.items() if str(number).isdecimal()}
