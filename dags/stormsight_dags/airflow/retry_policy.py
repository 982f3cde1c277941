"""Airflow's retry policy over the budgets.

Airflow's own ``retries`` is the sum of all budgets, and the policy ends the task earlier. The failures so far
are kept in Airflow's task state store, which all tries of a task instance share. Airflow asks no policy when
a worker dies under a task (it only sees heartbeats stop); the next try takes over the pod, which lives on.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from components.contract.failures import FailureKind
from stormsight_dags.budgets import Budget, History, judge
from stormsight_dags.failures import StageFailure

log = logging.getLogger(__name__)

STATE_KEY = "stormsight_failures"
"""Key of the task state store."""


def retry_arguments(budget: Budget) -> dict[str, Any]:
    """Return the operator arguments that make Airflow retry by ``budget``."""
    return {
        "retries": budget.total,
        # The wait after a worker's death; the policy gives its own for a failure.
        "retry_delay": budget.delay_s,
        "retry_policy": BudgetedRetries(budget),
    }


class BudgetedRetries(RetryPolicy):
    """Airflow's retry policy over :func:`~stormsight_dags.budgets.judge`.

    Args:
        budget: Granted retries.
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
        """Judge a failed try; never raises: Airflow would fall back to retrying whatever failed."""
        kind = exception.kind if isinstance(exception, StageFailure) else FailureKind.UNKNOWN
        store = context.get("task_state_store") if context is not None else None
        history = _load_history(store, kind, try_number, max_tries)
        verdict = judge(kind, try_number, max_tries, history, self.budget, now=time.time())
        _save_history(store, verdict.history)
        if verdict.retry:
            return RetryDecision.retry(timedelta(seconds=verdict.delay_s), verdict.reason)
        return RetryDecision.fail(verdict.reason)

    def serialize(self) -> dict[str, Any]:
        """Return plain values; the scheduler only learns that there is a policy."""
        retries = {kind.value: number for kind, number in self.budget.retries.items()}
        hours = {kind.value: number for kind, number in self.budget.hours.items()}
        return {
            "__type": "BudgetedRetries",
            "retries": retries,
            "hours": hours,
            "delay_s": self.budget.delay_s,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BudgetedRetries:
        """Restore a policy from :meth:`serialize`."""
        retries = {FailureKind(kind): int(number) for kind, number in data["retries"].items()}
        hours = {FailureKind(kind): float(number) for kind, number in data["hours"].items()}
        return cls(Budget(retries, float(data["delay_s"]), hours))


def _load_history(store: Any, kind: FailureKind, try_number: int, max_tries: int) -> object:  # noqa: ANN401
    """Return the history; unreadable, all earlier tries count as this kind: fewer retries, not more."""
    try:
        if store is not None:
            return store.get(STATE_KEY)
    except Exception:
        log.warning("The task state store cannot be read; every earlier try counts as %s", kind)
    tries = [str(number) for number in range(1, try_number)]
    # With times of long ago, a budget of hours counts as used up.
    return History(epoch=max_tries, kinds=dict.fromkeys(tries, kind.value), times=dict.fromkeys(tries, 0.0))


def _save_history(store: Any, history: History) -> None:  # noqa: ANN401
    try:
        if store is not None:
            store.set(STATE_KEY, dict(history))
    except Exception:
        log.warning("The task state store cannot be written; this failure is not counted")
