"""Rendering of the graph as Airflow tasks: one task per stage, one dependency per edge."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup

from components.contract.errors import ParameterError
from components.contract.graph.model import Graph
from components.contract.work import Work
from stormsight_dags.airflow.notices import notify_failure, notify_retry
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
    if settings.mode == "kubernetes":
        # The provider costs a second of import time that local mode need not pay.
        from stormsight_dags.airflow.pod_operator import StagePodOperator  # noqa: PLC0415

        return StagePodOperator(task_id=task_id, work=work, settings=settings, **kwargs)
    from stormsight_dags.airflow.process_operator import StageProcessOperator  # noqa: PLC0415

    return StageProcessOperator(task_id=task_id, work=work, settings=settings, **kwargs)


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
