"""Retrain on everything registered: claim it, run the stages of dvc.yaml, record the outcome, pass the gate.

Whatever starts a run, an event, the clock or a person, `plan` decides by the ledger: a set of acquisitions
that is trained already, or is being trained, skips the run. A model that does not pass skips the task `gate`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import (
    DAG,
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.assets import ACQUISITIONS, MODEL, REDRIVE
from stormsight_dags.airflow.notices import notify_deadline, notify_promotion
from stormsight_dags.airflow.outcome import RunOutcomeOperator
from stormsight_dags.airflow.rendering import ONE_RUN_AT_A_TIME, PIPELINE, RUN, command_task, render
from stormsight_dags.airflow.starting import CHOSEN, chosen_acquisitions, events_and_clock
from stormsight_dags.settings.load import load_settings

settings = load_settings()
orchestration = settings.orchestration
cron = orchestration.retrain_schedule
RUNS = ("python", "-m", "components.runs")
STARTERS = ACQUISITIONS | REDRIVE

with DAG(
    "retrain",
    description="Train, evaluate and gate on all registered acquisitions",
    schedule=events_and_clock(STARTERS, cron),
    # A laptop trains one network at a time.
    max_active_tasks=16 if settings.mode == "kubernetes" else 1,
    deadline=DeadlineAlert(
        # With DAGRUN_QUEUED_AT no task can be cleared (apache/airflow#70368); runs by event have no logical
        # date. So the clock starts with the run, and allows what recent runs took and `deadline_h` more.
        reference=DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1),
        interval=timedelta(hours=orchestration.deadline_h),
        callback=AsyncCallback(notify_deadline, kwargs={"hours": orchestration.deadline_h}),
    ),
    params=chosen_acquisitions(
        "Ids with commas between them, to train with these alone; empty: all registered ones"
    ),
    doc_md=__doc__,
    **ONE_RUN_AT_A_TIME,
):
    needs = Requirements(retry="gate")
    chosen = ("--acquisitions", f"{{{{ params.{CHOSEN} }}}}")
    plan = command_task(settings, "plan", Work((*RUNS, "plan", "--run", RUN, *chosen), needs))
    pipeline = render(settings.graph(), settings)
    # A teardown: it also runs, and ends the claim, when a person marks the run as failed or as a success.
    finish = command_task(settings, "finish", Work((*RUNS, "finish", "--run", RUN), needs)).as_teardown(
        on_failure_fail_dagrun=True
    )
    outcome = RunOutcomeOperator(
        task_id="outcome",
        finish="finish",
        pipeline=PIPELINE,
        on_failure_callback=None,  # the stage's own notice tells why, or a person knows
    ).as_teardown(on_failure_fail_dagrun=True)
    gate = command_task(
        settings,
        "gate",
        Work((*RUNS, "gate", "--run", RUN), needs),
        outlets=[MODEL],
        on_success_callback=notify_promotion,
    )
    plan >> pipeline >> finish >> gate
    # A failed stage fails the run, although `finish` records it and succeeds.
    pipeline >> gate
    finish >> outcome
