"""Start a training that failed by bad luck again, as often as its class of failure allows; then fail, once.

The ledger says what is to be started; the event only wakes `retrain`, whose `plan` decides for itself.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.assets import REDRIVE
from stormsight_dags.airflow.rendering import ONE_RUN_AT_A_TIME, command_task
from stormsight_dags.settings.load import load_settings

settings = load_settings()
cron = settings.orchestration.redrive_schedule

with DAG(
    "redrive",
    description="Start trainings again that failed by bad luck",
    schedule=CronTriggerTimetable(cron, timezone="UTC") if cron else None,
    doc_md=__doc__,
    **ONE_RUN_AT_A_TIME,
):
    redrive = command_task(
        settings,
        "redrive",
        Work(("python", "-m", "components.runs", "redrive"), Requirements(retry="gate")),
        outlets=[REDRIVE],
    )
