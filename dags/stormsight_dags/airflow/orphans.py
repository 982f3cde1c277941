"""Removal of pods of ours that no task waits for any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context

from stormsight_dags.kubernetes.manifest import MANAGED_BY
from stormsight_dags.kubernetes.names import RUN_LABEL
from stormsight_dags.settings.model import Settings

SELECTOR = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
WAITING = frozenset({"running", "deferred", "queued", "scheduled", "restarting", "up_for_retry"})
"""States of a task that has its pod, or may take it over."""

States = Callable[[str, str, str], str | None]
"""Function that returns the state of a task by DAG, run and name; ``None`` if there is no such task.

The name is the task's id, for a task that Airflow mapped with ``_`` and its map index at the end.
"""


def orphans(pods: Iterable[Any], states: States, oldest: datetime) -> list[Any]:
    """Return the pods created before ``oldest`` whose task, by their labels, does not wait for them."""
    return [
        pod
        for pod in pods
        if pod.metadata.creation_timestamp < oldest and _state_of(pod, states) not in WAITING
    ]


def _state_of(pod: Any, states: States) -> str | None:  # noqa: ANN401 - a V1Pod
    labels, annotations = pod.metadata.labels or {}, pod.metadata.annotations or {}
    dag, task, run = labels.get("dag_id"), labels.get("task_id"), annotations.get(RUN_LABEL)
    if not (dag and task and run):
        return None
    index = labels.get("map_index")
    return states(dag, run, task if index is None else f"{task}_{index}")


class DeleteOrphanPodsOperator(BaseOperator):
    """Delete orphan pods, such as a lost worker or a failed deletion leaves behind.

    Args:
        settings: The installation's settings: namespace, and greatest age of a pod (``orphan_pod_h``).
        **kwargs: Arguments of ``BaseOperator``.
    """

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.namespace = settings.cluster.namespace
        self.age_h = settings.orchestration.orphan_pod_h

    def execute(self, context: Context) -> list[str]:
        """Delete the orphan pods; return their names."""
        # The provider costs more than a second of import time.
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook  # noqa: PLC0415

        def state(dag_id: str, run_id: str, name: str) -> str | None:
            found = context["ti"].get_task_states(dag_id=dag_id, run_ids=[run_id])
            value = found.get(run_id, {}).get(name)
            return None if value is None else str(getattr(value, "value", value))

        client = KubernetesHook(conn_id=KubernetesHook.default_conn_name).core_v1_client
        pods = client.list_namespaced_pod(self.namespace, label_selector=SELECTOR).items
        found = orphans(pods, state, datetime.now(UTC) - timedelta(hours=self.age_h))
        return [pod.metadata.name for pod in found if self._delete(client, pod)]

    def _delete(self, client: Any, pod: Any) -> bool:  # noqa: ANN401 - Kubernetes' own
        from kubernetes.client import V1DeleteOptions, V1Preconditions  # noqa: PLC0415
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415

        # A new pod of the same name is no orphan.
        options = V1DeleteOptions(preconditions=V1Preconditions(uid=pod.metadata.uid))
        try:
            client.delete_namespaced_pod(pod.metadata.name, self.namespace, body=options)
        except ApiException as error:
            if error.status not in {404, 409}:
                raise
            return False
        self.log.info("Deleted pod %s, created %s", pod.metadata.name, pod.metadata.creation_timestamp)
        return True
