"""Every hour: publish the dashboard, which Airflow shows among its own pages."""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.rendering import ONE_RUN_AT_A_TIME, command_task
from stormsight_dags.settings.load import load_settings

settings = load_settings()

with DAG(
    "dashboard",
    description="Publish the dashboard",
    schedule=CronTriggerTimetable("40 * * * *", timezone="UTC"),
    doc_md=__doc__,
    **ONE_RUN_AT_A_TIME,
):
    publish = command_task(
        settings,
        "publish",
        Work(
            ("python", "-m", "components.dashboard", "--publish"),
            Requirements(memory="2Gi", retry="transfer"),
            account="housekeeping",
        ),
    )
