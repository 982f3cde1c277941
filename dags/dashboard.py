"""Every hour: publish the dashboard, which Airflow shows among its own pages."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronTriggerTimetable

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.rendering import DEFAULT_ARGS, command_task
from stormsight_dags.settings.load import load_settings

settings = load_settings()

with DAG(
    "dashboard",
    description="Publish the dashboard",
    schedule=CronTriggerTimetable("40 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=["stormsight"],
    doc_md=__doc__,
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
