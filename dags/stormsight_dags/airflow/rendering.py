"""Rendering of the graph as Airflow tasks: one task per stage, one dependency per edge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup
from airflow.sdk.definitions.mappedoperator import MappedOperator

from components.contract.errors import ParameterError
from components.contract.graph.model import Graph
from components.contract.work import Work
from stormsight_dags.airflow.notices import notify_failure, notify_retry
from stormsight_dags.airflow.retry_policy import retry_arguments
from stormsight_dags.budgets import load_budget
from stormsight_dags.settings.model import Settings

PIPELINE = "pipeline"
"""Id of the task group that holds the stages."""

RUN = "{{ run_id }}"
"""Template of the run's id, which every command is given."""

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "stormsight",
    "retry_delay": timedelta(seconds=60),
    "on_failure_callback": notify_failure,
    "on_retry_callback": notify_retry,
}
"""Defaults of every task of ours."""

ONE_RUN_AT_A_TIME: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": DEFAULT_ARGS,
    "tags": ["stormsight"],
}
"""Arguments of every DAG of ours. Events that arrive during a run are kept and start one run afterwards."""


def task_id(address: str) -> str:
    """Return an address as a task id: Airflow allows letters, digits, ``-``, ``_`` and ``.``."""
    return re.sub(r"[^\w.-]", "-", address.replace("@", ".", 1), flags=re.ASCII)


def command_task(settings: Settings, task_id: str, work: Work, **kwargs: Any) -> BaseOperator:  # noqa: ANN401
    """Return a task that does ``work``: in a pod, or in local mode as a process.

    Args:
        settings: The installation's settings.
        task_id: Its id.
        work: Command (templated), requirements, stage and account.
        **kwargs: Arguments of the operator.
    """
    operator, _ = _operator(settings)
    return operator(task_id=task_id, work=work, settings=settings, **kwargs)


def _operator(settings: Settings) -> tuple[type[BaseOperator], str]:
    """Return the operator of commands, and its argument that stands for the command of ``work``."""
    if settings.mode == "kubernetes":
        # The provider costs a second of import time that local mode need not pay.
        from stormsight_dags.airflow.pod_operator import StagePodOperator  # noqa: PLC0415

        return StagePodOperator, "cmds"
    from stormsight_dags.airflow.process_operator import StageProcessOperator  # noqa: PLC0415

    return StageProcessOperator, "command"


def mapped_command_task(
    settings: Settings,
    task_id: str,
    work: Work,
    options: Sequence[Sequence[str]],
    **kwargs: Any,  # noqa: ANN401
) -> MappedOperator:
    """Return tasks that do ``work`` side by side, mapped by Airflow: each with options of its own.

    Args:
        settings: The installation's settings.
        task_id: Id of all of them; Airflow tells them apart by their map index.
        work: Command (templated), requirements and account.
        options: Options at the end of each task's command.
        **kwargs: Arguments of the operator.
    """
    operator, name = _operator(settings)
    budget = load_budget(settings.orchestration.model_dump(), work.requirements.retry)
    # The scheduler reads the retries off the mapped task, before there is an operator that could set them.
    own: dict[str, Any] = {"work": work, "settings": settings, **retry_arguments(budget), **kwargs}
    if settings.mode == "kubernetes":
        own["deferrable"] = True  # they last, and no worker is to wait for each of them
    commands = [[*work.command, *ending] for ending in options]
    return operator.partial(task_id=task_id, **own).expand(**{name: commands})


def render(graph: Graph, settings: Settings) -> TaskGroup:
    """Return the graph as a task group; to be called inside a DAG.

    Every edge becomes a dependency, also one that follows from others: a stage must not start when any of the
    stages it reads from was skipped or failed.

    Raises:
        ParameterError: If two addresses would get the same task id.
    """
    with TaskGroup(PIPELINE, tooltip="the stages of dvc.yaml") as group:
        tasks: dict[str, BaseOperator] = {}
        names: dict[str, str] = {}
        for stage in graph:
            name = task_id(stage.address)
            if name in names:
                raise ParameterError(
                    f"dvc.yaml: stages {names[name]!r} and {stage.address!r} would both be task {name!r}",
                    next_step="rename one of them, or its loop's key",
                )
            names[name] = stage.address
            work = Work(
                command=("python", "-m", "components.runs", "stage", stage.address, "--run", RUN),
                requirements=stage.requirements,
                stage=stage.address,
            )
            tasks[stage.address] = command_task(settings, name, work, doc_md=stage.desc or None)
        for upstream, downstream in sorted(graph.edges):
            tasks[upstream] >> tasks[downstream]
    return group
