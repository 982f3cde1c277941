"""Every night: prune old records and cache, verify the ledgers, remove pods that nobody waits for."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronTriggerTimetable

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.orphans import DeleteOrphanPodsOperator
from stormsight_dags.airflow.rendering import DEFAULT_ARGS, command_task
from stormsight_dags.settings.load import load_settings

settings = load_settings()

with DAG(
    "housekeeping",
    description="Prune by policy, verify the ledgers, reap orphan pods",
    schedule=CronTriggerTimetable("30 1 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=["stormsight"],
    doc_md=__doc__,
):
    needs = Requirements(retry="gate")
    verify = command_task(
        settings, "verify", Work(("python", "-m", "components.housekeeping", "verify"), needs)
    )
    prune = command_task(
        settings,
        "prune",
        Work(("python", "-m", "components.housekeeping", "prune"), needs, account="housekeeping"),
    )
    # Nothing is deleted because of a ledger that may have been tampered with.
    verify >> prune
    if settings.mode == "kubernetes":
        DeleteOrphanPodsOperator(task_id="reap", settings=settings, retries=3)
