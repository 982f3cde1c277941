"""The retry policy counts failures across tries and never retries for want of memory."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import RetryAction
from hypothesis import given

from components.contract.failures import FailureKind
from stormsight_dags.airflow.retry_policy import STATE_KEY, BudgetedRetries
from stormsight_dags.budgets import Budget
from stormsight_dags.failures import Failure, exception_for
from tests.dags.test_budgets import BUDGETS


class StateStore:
    """A task state store: the two calls the policy makes."""

    def __init__(self, *, broken: bool = False) -> None:
        self.values: dict[str, Any] = {}
        self.broken = broken

    def get(self, key: str) -> Any:
        if self.broken:
            raise RuntimeError("gone")
        return self.values.get(key)

    def set(self, key: str, value: Any) -> None:
        if self.broken:
            raise RuntimeError("gone")
        self.values[key] = value


def failed(kind: FailureKind) -> BaseException:
    return exception_for(Failure(kind, "optical", "because"))


def test_the_policy_remembers_across_tries() -> None:
    policy = BudgetedRetries(Budget({FailureKind.EVICTED: 1, FailureKind.DEADLINE: 1}, 30))
    context = {"task_state_store": StateStore()}
    actions = [
        policy.evaluate(failed(kind), number, policy.budget.total, context)
        for number, kind in enumerate((FailureKind.EVICTED, FailureKind.DEADLINE, FailureKind.EVICTED), 1)
    ]
    assert [a.action for a in actions] == [RetryAction.RETRY, RetryAction.RETRY, RetryAction.FAIL]
    assert actions[0].retry_delay is not None
    assert actions[0].retry_delay.total_seconds() == 30
    assert actions[2].reason == "evicted: all 1 retries are used"
    assert context["task_state_store"].values[STATE_KEY]["kinds"]["2"] == "deadline"


@pytest.mark.parametrize("context", [None, {}, {"task_state_store": StateStore(broken=True)}])
def test_without_memory_there_are_fewer_retries_not_more(context: Any) -> None:
    policy = BudgetedRetries(Budget({FailureKind.EVICTED: 2}))
    actions = [policy.evaluate(failed(FailureKind.EVICTED), n, 9, context).action for n in (1, 2, 3, 4)]
    assert actions == [RetryAction.RETRY, RetryAction.RETRY, RetryAction.FAIL, RetryAction.FAIL]


def test_what_is_not_ours_is_unknown_and_not_retried() -> None:
    policy = BudgetedRetries(Budget({FailureKind.EVICTED: 2}))
    context = {"task_state_store": StateStore()}
    assert policy.evaluate(ValueError("oh"), 1, 9, context).action is RetryAction.FAIL


@given(BUDGETS)
def test_a_policy_survives_serialization(budget: Budget) -> None:
    policy = BudgetedRetries(budget)
    assert BudgetedRetries.deserialize(policy.serialize()).budget == budget
