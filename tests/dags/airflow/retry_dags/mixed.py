"""Tasks that fail by a script, one kind per try; run by test_retry_memory.py on a real Airflow."""

from __future__ import annotations

from airflow.sdk import DAG, get_current_context, task

from components.contract.failures import FailureKind
from stormsight_dags.airflow.retry_policy import BudgetedRetries
from stormsight_dags.budgets import Budget
from stormsight_dags.failures import Failure, exception_for

BUDGET = Budget({FailureKind.EVICTED: 2, FailureKind.SOURCE_UNAVAILABLE: 1}, delay_s=0)

SCRIPTS = {
    "recovers": ["evicted", "source_unavailable", "evicted", ""],
    "exhausts": ["source_unavailable", "evicted", "source_unavailable", ""],
    "hopeless": ["bad_data", ""],
    "foreign": ["else", ""],
}


def play(script: list[str]) -> None:
    kind = script[get_current_context()["ti"].try_number - 1]
    if kind == "else":
        raise ValueError("not one of ours")
    if kind:
        raise exception_for(Failure(FailureKind(kind), "optical", "as scripted"))


with DAG("mixed", schedule=None, catchup=False):
    for name, script in SCRIPTS.items():
        task(
            task_id=name,
            retries=BUDGET.total,
            retry_delay=0,
            retry_policy=BudgetedRetries(BUDGET),
        )(play)(script)
