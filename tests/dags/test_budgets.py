from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.contract.errors import ParameterError
from components.contract.failures import FROM_CLUSTER, NEVER_RETRIED, FailureKind
from stormsight_dags.budgets import (
    LONGEST_DELAY_S,
    WORKER_LOSSES,
    Budget,
    judge,
    load_budget,
)
from tests.conftest import ROOT
from tests.dags.kubernetes.trial_settings import ORCHESTRATION

KINDS = st.sampled_from(sorted(FailureKind))
RETRIED = st.sampled_from(sorted(set(FailureKind) - NEVER_RETRIED))
HOURS = st.dictionaries(RETRIED, st.sampled_from([0.0, 1.0, 24.0]), max_size=2)
BUDGETS = st.dictionaries(RETRIED, st.integers(0, 3)).map(Budget)


def tries(failures: list[FailureKind | None], budget: Budget) -> list[FailureKind | None]:
    """Return the tries that Airflow makes until policy or ``retries`` end them; None is a dead worker."""
    history: object = None
    for number, kind in enumerate(failures, 1):
        again = number <= budget.total
        if kind is not None:
            verdict = judge(kind, number, budget.total, history, budget, now=0.0)
            history, again = dict(verdict.history), again and verdict.retry
        if not again:
            return failures[:number]
    return failures


@given(st.lists(KINDS, min_size=1, max_size=30), BUDGETS)
def test_no_kind_is_retried_more_often_than_granted(failures: list[FailureKind], budget: Budget) -> None:
    made = tries([*failures], budget)
    retried = Counter(made[:-1])
    for kind, count in retried.items():
        assert kind is not None
        assert count <= budget.retries.get(kind, 0)
        assert kind not in NEVER_RETRIED


@given(st.lists(KINDS, max_size=30), BUDGETS)
def test_no_kind_eats_anothers_budget(failures: list[FailureKind], budget: Budget) -> None:
    """A run ends only by a kind whose own budget is used up, never for the number of tries as such."""
    made = tries([*failures], budget)
    if len(made) < len(failures):
        last = made[-1]
        assert last is not None
        assert Counter(made)[last] == budget.retries.get(last, 0) * (last not in NEVER_RETRIED) + 1


@given(st.lists(KINDS, max_size=12), st.integers(0, WORKER_LOSSES), st.randoms(), BUDGETS)
def test_dead_workers_cost_no_budget(
    failures: list[FailureKind], lost: int, random: Any, budget: Budget
) -> None:
    plain = tries([*failures], budget)
    mixed: list[FailureKind | None] = [*failures]
    for _ in range(lost):
        mixed.insert(random.randint(0, len(mixed)), None)
    assert [kind for kind in tries(mixed, budget) if kind is not None] == plain


@given(
    KINDS, st.integers(1, 20), BUDGETS, st.one_of(st.none(), st.text(), st.dictionaries(st.text(), st.text()))
)
def test_a_damaged_history_is_none(kind: FailureKind, number: int, budget: Budget, stored: object) -> None:
    assert judge(kind, number, 9, stored, budget, now=0.0) == judge(kind, number, 9, None, budget, now=0.0)


@given(KINDS, BUDGETS)
def test_judging_one_try_twice_counts_it_once(kind: FailureKind, budget: Budget) -> None:
    once = judge(kind, 1, 9, None, budget, now=0.0)
    assert judge(kind, 1, 9, dict(once.history), budget, now=0.0) == once


def test_clearing_a_task_renews_its_budgets() -> None:
    budget = Budget({FailureKind.EVICTED: 1})
    first = judge(FailureKind.EVICTED, 1, budget.total, None, budget, now=0.0)
    second = judge(FailureKind.EVICTED, 2, budget.total, dict(first.history), budget, now=0.0)
    assert (first.retry, second.retry) == (True, False)
    cleared = judge(FailureKind.EVICTED, 3, 2 + budget.total, dict(second.history), budget, now=0.0)
    assert cleared.retry


def played(kinds: list[FailureKind], seconds: list[float], budget: Budget) -> list[bool]:
    """Return whether each failure, so many seconds after the one before it, was granted a retry."""
    history: object = None
    granted, now = [], 0.0
    for number, (kind, passed) in enumerate(zip(kinds, seconds, strict=True), 1):
        now += passed
        verdict = judge(kind, number, budget.total, history, budget, now=now)
        history = dict(verdict.history)
        granted.append(verdict.retry)
    return granted


def test_a_cluster_that_is_full_for_hours_is_waited_for() -> None:
    full = FailureKind.UNSCHEDULABLE
    budget = Budget(hours={full: 24.0})
    assert budget.total > 24 * 2
    assert played([full] * 40, [1800.0] * 40, budget) == [True] * 40, "quota refusals come at once"
    assert played([full] * 26, [3600.0] * 26, budget) == [True] * 25 + [False]


def test_hours_of_work_between_two_waits_do_not_count() -> None:
    full, evicted = FailureKind.UNSCHEDULABLE, FailureKind.EVICTED
    budget = Budget({evicted: 2}, hours={full: 2.0})
    hour = 3600.0
    assert played(
        [full, full, evicted, full, full, full], [0, hour, 30 * hour, hour, hour, hour], budget
    ) == [
        True,
        True,
        True,
        True,
        True,
        False,
    ]


@given(st.lists(KINDS, min_size=1, max_size=60), HOURS, BUDGETS)
def test_hours_allow_no_more_tries_than_airflow_is_told(
    kinds: list[FailureKind], hours: dict[FailureKind, float], budget: Budget
) -> None:
    both = Budget({k: n for k, n in budget.retries.items() if k not in hours}, 0.0, hours)
    history: object = None
    now = 0.0
    for number, kind in enumerate(kinds, 1):
        verdict = judge(kind, number, both.total, history, both, now=now)
        if not verdict.retry:
            return
        assert number <= both.total
        history = dict(verdict.history)
        now += verdict.delay_s


def test_delays_double_up_to_half_an_hour() -> None:
    budget = Budget(delay_s=60)
    assert [budget.delay(n) for n in (1, 2, 3)] == [60, 120, 240]
    assert budget.delay(10_000) == LONGEST_DELAY_S


@pytest.mark.parametrize("retry", ["transfer", "data", "train", "gate"])
def test_the_repositorys_own_budgets(retry: str) -> None:
    section = yaml.safe_load((ROOT / "params.yaml").read_text())["orchestration"]
    budget = load_budget(section, retry)
    granted = {*budget.retries, *budget.hours}
    assert granted >= FROM_CLUSTER
    assert not granted & NEVER_RETRIED
    assert budget.hours.keys() >= {"unschedulable", "source_unavailable"}, "these are waited for"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"infrastructure_retries": {"evcted": 1}}, "the nearest valid one is 'evicted'"),
        ({"infrastructure_retries": {"deadline": 1}}, "which the work causes"),
        ({"retries": {"train": {"bad_data": 1}}}, "never retried"),
        ({"retries": {"train": {"gate_refused": 1}}}, "never retried"),
        ({"retries": {"train": {"evicted": 1}}}, "infrastructure"),
        ({"retries": {"train": {"deadline": -1}}}, "-1"),
        ({"retries": {"train": {"deadline": True}}}, "True"),
        ({"infrastructure_retries": {"unschedulable": "a day"}}, "hours as in 24h"),
        ({"retries": {"tran": {}}}, "the nearest valid one is 'tran'"),
    ],
)
def test_a_wrong_budget_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ParameterError) as refused:
        load_budget({**ORCHESTRATION, **change}, "train")
    assert named in str(refused.value)
    assert refused.value.next_step
