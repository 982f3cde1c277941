"""From the neutral graph to Airflow tasks: one task per stage, one dependency per edge."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import BaseOperator, TaskGroup

from components.contract.errors import ParameterError
from components.contract.graph.model import Graph
from stormsight_dags.notices import notify_failure
from stormsight_dags.settings import Settings

PIPELINE = "pipeline"
"""The task group that holds the stages."""

RUN = "{{ run_id }}"
"""How every command learns which run it works for."""

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "stormsight",
    "retry_delay": timedelta(seconds=60),
    "on_failure_callback": notify_failure,
}
"""What every task of ours has."""


def task_id(address: str) -> str:
    """An address as a task id: Airflow allows letters, digits, ``-``, ``_`` and ``.``."""
    return re.sub(r"[^\w.-]", "-", address.replace("@", ".", 1), flags=re.ASCII)


def command_task(
    settings: Settings,
    task_id: str,
    command: list[str],
    *,
    retry: str,
    image: Literal["data", "train"] = "data",
    cpu: float = 1.0,
    memory: str = "1Gi",
    gpu: int = 0,
    stage: str | None = None,
    account: Literal["housekeeping"] | None = None,
    **kwargs: Any,  # noqa: ANN401 - Airflow's own
) -> BaseOperator:
    """A task that runs ``command``: in a pod, or in local mode as a process.

    Args:
        settings: Of the installation.
        task_id: Its id.
        command: Program and arguments, templated.
        retry: Retry class, a key of ``orchestration.retries``.
        image: Which image runs it.
        cpu: Cores.
        memory: A Kubernetes quantity.
        gpu: Number of GPUs.
        stage: The stage's address; ``None`` for a command that is no stage.
        account: Service account of its pod, where it is another one than the image's.
        **kwargs: Of the operator.
    """
    arguments: dict[str, Any] = {
        "task_id": task_id,
        "command": command,
        "image": image,
        "cpu": cpu,
        "memory": memory,
        "gpu": gpu,
        "retry": retry,
        "settings": settings,
        "stage": stage,
        **kwargs,
    }
    if settings.mode == "kubernetes":
        # The provider costs a second of import time that local mode need not pay.
        from stormsight_dags.pods.operator import StagePodOperator  # noqa: PLC0415

        service_account = getattr(settings.cluster.service_accounts, account) if account else None
        return StagePodOperator(**arguments, service_account=service_account)
    from stormsight_dags.processes import StageProcessOperator  # noqa: PLC0415

    return StageProcessOperator(**arguments)


def render(graph: Graph, settings: Settings) -> TaskGroup:
    """The graph as a task group, to be called inside a DAG.

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
            tasks[stage.address] = command_task(
                settings,
                name,
                ["python", "-m", "components.runs", "stage", stage.address, "--run", RUN],
                retry=stage.retry,
                image=stage.image,
                cpu=stage.cpu,
                memory=stage.memory,
                gpu=stage.gpu,
                stage=stage.address,
                doc_md=stage.desc or None,
            )
        for upstream, downstream in sorted(graph.edges):
            tasks[upstream] >> tasks[downstream]
    return group
