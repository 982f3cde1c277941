"""Watch the landing prefix: check what is complete, register it, tell the other DAGs."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from stormsight_dags.landing import AnnounceOperator, LandingSensor
from stormsight_dags.rendering import DEFAULT_ARGS, command_task
from stormsight_dags.settings import load_settings

settings = load_settings()

with DAG(
    "acquisitions",
    description="New acquisitions in the landing prefix are checked, registered and announced",
    # One run waits; once it has found something and ended, the next one begins to wait.
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=["stormsight"],
    doc_md=__doc__,
):
    landed = LandingSensor(task_id="landed", settings=settings, retries=3)
    register = command_task(
        settings,
        "register",
        ["python", "-m", "components.acquisitions", "register"],
        retry="transfer",
        cpu=2,
        memory="2Gi",
    )
    # Also when registering failed: what was registered before the failure must not wait for it.
    announce = AnnounceOperator(task_id="announce", settings=settings, retries=3, trigger_rule="all_done")
    landed >> register >> announce
