"""Every night: verify ledgers and served models, prune old records and cache, remove orphan pods."""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.orphans import DeleteOrphanPodsOperator
from stormsight_dags.airflow.rendering import ONE_RUN_AT_A_TIME, command_task
from stormsight_dags.settings.load import load_settings

settings = load_settings()

with DAG(
    "housekeeping",
    description="Verify ledgers and served models, prune by policy, reap orphan pods",
    schedule=CronTriggerTimetable("30 1 * * *", timezone="UTC"),
    doc_md=__doc__,
    **ONE_RUN_AT_A_TIME,
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
    # What MLflow serves, against the ledger: an alias that somebody moved is a failed task with its notice.
    served = command_task(
        settings,
        "served",
        Work(("python", "-m", "components.promote", "verify"), Requirements(memory="2Gi", retry="gate")),
    )
    # Nothing is deleted because of a ledger that may have been tampered with, or that MLflow contradicts.
    [verify, served] >> prune
    if settings.mode == "kubernetes":
        DeleteOrphanPodsOperator(task_id="reap", settings=settings, retries=3)
