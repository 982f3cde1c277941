"""Map every registered acquisition with the present champion: plan what is missing, map it, publish it.

Each new map is then compared with the last earlier one of its ground.

Whatever starts a run, `plan` decides by the ledgers. So one trigger by hand maps again after a rollback, and
the clock makes up for a lost event, or an approval, which has none.
"""

from __future__ import annotations

from dataclasses import replace

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.assets import ACQUISITIONS, MODEL
from stormsight_dags.airflow.rendering import ONE_RUN_AT_A_TIME, RUN, command_task, mapped_command_task
from stormsight_dags.airflow.starting import CHOSEN, chosen_acquisitions, events_and_clock
from stormsight_dags.settings.load import load_settings

settings = load_settings()
orchestration = settings.orchestration
cron, groups, pod = orchestration.map_schedule, orchestration.map_groups, orchestration.map_pod
PREDICT = ("python", "-m", "components.predict")
STARTERS = ACQUISITIONS | MODEL

with DAG(
    "map",
    description="Map what is registered with the present champion",
    schedule=events_and_clock(STARTERS, cron),
    # A laptop runs one network at a time.
    max_active_tasks=64 if settings.mode == "kubernetes" else 1,
    params=chosen_acquisitions(
        "Ids with commas between them, to map these alone; empty: all that lack a map"
    ),
    doc_md=__doc__,
    **ONE_RUN_AT_A_TIME,
):
    needs = Requirements(image="train", cpu=pod.cpu, memory=pod.memory, retry="data")
    chosen = ("--groups", str(groups), "--acquisitions", f"{{{{ params.{CHOSEN} }}}}")
    plan = command_task(
        settings, "plan", Work((*PREDICT, "plan", "--run", RUN, *chosen), needs, account="map")
    )
    # The number of groups is the setting's, so that nothing depends on an XCom; those without blocks skip.
    group = mapped_command_task(
        settings,
        "group",
        Work(
            (*PREDICT, "group", "--run", RUN),
            replace(needs, gpu=pod.gpu, retry="train"),
            account="map",
        ),
        [("--number", str(number)) for number in range(groups)],
    )
    # The teardown of `plan`: it runs whenever there is a plan, finishes maps whose groups succeeded, and
    # names the blocks that are missing. Other rules take the skip of a group without blocks for a failure.
    merge = command_task(settings, "merge", Work((*PREDICT, "merge", "--run", RUN), needs, account="map"))
    # Whatever became of `merge`, the maps that it has published are compared; where it did not run there is
    # nothing to compare. The comparison reads our own files alone and needs no torch.
    compare = command_task(
        settings,
        "compare",
        Work(
            (*PREDICT, "compare", "--run", RUN),
            Requirements(image="data", cpu=1, memory=pod.memory, retry="data"),
            account="map",
        ),
        trigger_rule="one_done",
    )
    # A group or a comparison that failed fails the run, although the maps are published.
    outcome = EmptyOperator(task_id="outcome", trigger_rule="none_failed")
    plan >> group >> merge.as_teardown(setups=plan, on_failure_fail_dagrun=True)
    merge >> compare
    [group, merge, compare] >> outcome
