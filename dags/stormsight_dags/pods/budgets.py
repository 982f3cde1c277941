"""How often a failed stage is tried again: a budget for each kind of failure.

Airflow counts tries, not reasons: ten evictions would eat the one retry a failing source was granted. Here
each kind has its own budget: infrastructure the same for every stage (``infrastructure_retries`` in section
``orchestration`` of ``params.yaml``), the rest by the stage's retry class (``retries``). A kind that no
budget names is not retried; bad data, gate refusals and other final kinds cannot be named.

Airflow's own ``retries`` is the sum of all budgets, and the policy ends the task earlier. What it counted
lives in Airflow's task state store, which all tries of a task instance share. Airflow asks no policy when a
worker dies under a task (it only sees heartbeats stop), so such a try is not counted against any budget:
``WORKER_LOSSES`` tries are added for it, and the next try takes over the pod, which lives on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypedDict

from airflow.sdk import RetryDecision, RetryPolicy

from components.contract.errors import ParameterError
from components.contract.suggestions import nearest
from stormsight_dags.pods.failures import FINAL, INFRASTRUCTURE, FailureKind, StageFailure

log = logging.getLogger(__name__)

WORKER_LOSSES = 3
"""Tries that may end without a verdict because the worker died."""

LONGEST_DELAY_S = 1800.0
STATE_KEY = "stormsight_failures"


class History(TypedDict):
    """What the task state store keeps.

    ``epoch`` is Airflow's ``max_tries``, which grows when a person clears the task: budgets start anew then.
    ``kinds`` maps a try number to the kind it failed with; written twice for one try, it still counts once.
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
        """What Airflow needs as ``retries`` so that no budget is cut short."""
        return sum(self.retries.values()) + WORKER_LOSSES

    def delay(self, nth: int) -> float:
        """Wait before the ``nth`` retry of a kind (from 1), seconds."""
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
    if wrong := set(infrastructure) - INFRASTRUCTURE:
        raise ParameterError(
            f"params.yaml: orchestration.infrastructure_retries names {min(wrong)}, the work's own doing",
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
    if twice := set(own) & INFRASTRUCTURE:
        raise ParameterError(
            f"params.yaml: orchestration.retries.{retry} names {min(twice)}, the infrastructure's doing",
            next_step="move it to orchestration.infrastructure_retries",
        )
    return Budget({**infrastructure, **own}, float(orchestration.get("retry_delay_s", 60)))


def _kinds(numbers: Mapping[str, Any], where: str) -> dict[FailureKind, int]:
    names = sorted(kind.value for kind in set(FailureKind) - FINAL)
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
class Verdict:
    """Whether to try again.

    Attributes:
        again: The answer.
        delay_s: Wait before the next try, seconds.
        reason: The answer in words, kept by Airflow on the task instance.
        history: What to remember.
    """

    again: bool
    delay_s: float
    reason: str
    history: History


def judge(kind: FailureKind, try_number: int, max_tries: int, stored: object, budget: Budget) -> Verdict:
    """Decide about one failed try.

    Args:
        kind: What this try failed with.
        try_number: Airflow's number of this try, from 1.
        max_tries: Airflow's limit; it grows when a person clears the task.
        stored: What the task state store held; anything but a history counts as none.
        budget: What is granted.
    """
    kinds = {number: k for number, k in _read(stored, max_tries).items() if int(number) < try_number}
    kinds[str(try_number)] = kind.value
    history = History(epoch=max_tries, kinds=kinds)
    failed = sum(k == kind.value for k in kinds.values())
    granted = 0 if kind in FINAL else budget.retries.get(kind, 0)
    if failed <= granted:
        return Verdict(True, budget.delay(failed), f"{kind}: retry {failed} of {granted}", history)
    words = f"all {granted} retries are used" if granted else "it is not retried"
    return Verdict(False, 0.0, f"{kind}: {words}", history)


def _read(stored: object, epoch: int) -> dict[str, str]:
    """The kinds of earlier tries; a damaged or an outdated history is none."""
    if not isinstance(stored, dict) or stored.get("epoch") != epoch:
        return {}
    kinds = stored.get("kinds")
    if not isinstance(kinds, dict):
        return {}
    return {str(number): str(kind) for number, kind in kinds.items() if str(number).isdecimal()}


class BudgetedRetries(RetryPolicy):
    """Airflow's retry policy over :func:`judge`.

    Args:
        budget: What is granted.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,  # noqa: ANN401 - Airflow's Context, a TypedDict that cannot be made in tests
    ) -> RetryDecision:
        """Judge a failed try. It never raises: Airflow would fall back to retrying whatever failed."""
        kind = exception.kind if isinstance(exception, StageFailure) else FailureKind.UNKNOWN
        store = context.get("task_state_store") if context is not None else None
        verdict = judge(kind, try_number, max_tries, _recall(store, kind, try_number, max_tries), self.budget)
        _remember(store, verdict.history)
        if verdict.again:
            return RetryDecision.retry(timedelta(seconds=verdict.delay_s), verdict.reason)
        return RetryDecision.fail(verdict.reason)

    def serialize(self) -> dict[str, Any]:
        """Plain values; the scheduler only learns that there is a policy."""
        retries = {kind.value: number for kind, number in self.budget.retries.items()}
        return {"__type": "BudgetedRetries", "retries": retries, "delay_s": self.budget.delay_s}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BudgetedRetries:
        """The reverse of :meth:`serialize`."""
        retries = {FailureKind(kind): int(number) for kind, number in data["retries"].items()}
        return cls(Budget(retries, float(data["delay_s"])))


def _recall(store: Any, kind: FailureKind, try_number: int, max_tries: int) -> object:  # noqa: ANN401
    """The history. Where it cannot be read, all earlier tries count as this kind: fewer retries, not more."""
    try:
        if store is not None:
            return store.get(STATE_KEY)
    except Exception:
        log.warning("The task state store cannot be read; every earlier try counts as %s", kind)
    return History(epoch=max_tries, kinds={str(n): kind.value for n in range(1, try_number)})


def _remember(store: Any, history: History) -> None:  # noqa: ANN401
    try:
        if store is not None:
            store.set(STATE_KEY, dict(history))
    except Exception:
        log.warning("The task state store cannot be written; this failure is not counted")
