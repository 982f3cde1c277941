"""Watch the landing prefix: check what is complete, register it, announce it to the other DAGs."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.landing import AnnounceOperator, LandingSensor
from stormsight_dags.airflow.rendering import ONE_RUN_AT_A_TIME, command_task
from stormsight_dags.settings.load import load_settings

settings = load_settings()

with DAG(
    "acquisitions",
    description="New acquisitions in the landing prefix are checked, registered and announced",
    # One run waits; once it has found something and ended, the next one begins to wait.
    schedule="@continuous",
    doc_md=__doc__,
    **ONE_RUN_AT_A_TIME,
):
    landed = LandingSensor(task_id="landed", settings=settings)
    register = command_task(
        settings,
        "register",
        Work(
            ("python", "-m", "components.acquisitions", "register"),
            Requirements(cpu=2, memory="2Gi", retry="transfer"),
            account="ledger",
        ),
    )
    # Also when registering failed: what was registered before the failure must not wait for it.
    announce = AnnounceOperator(task_id="announce", settings=settings, retries=3, trigger_rule="all_done")
    # A rejection, or a store that did not answer, fails the run, although `announce` succeeds after it.
    outcome = EmptyOperator(task_id="outcome", trigger_rule="none_failed")
    landed >> register >> announce
    [register, announce] >> outcome
