"""Reader of failed tasks as Airflow shows them, and a thread that disturbs pods while they run."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from kubernetes import client

from tests.cluster.airflow_client import AirflowClient
from tests.cluster.environment import Namespace

STAGE = "stormsight/stage"
OURS = "app.kubernetes.io/managed-by=stormsight"


@dataclass(frozen=True)
class Shown:
    """One task as Airflow shows it after its run.

    Attributes:
        state: The task's state.
        tries: Number of its last try.
        exception: Class of the exception the last try ended with.
        text: That exception's text.
        decision: The retry policy's last decision.
        log: Everything in the last try's log.
    """

    state: str
    tries: int
    exception: str = ""
    text: str = ""
    decision: str = ""
    log: str = ""


def show(airflow: AirflowClient, dag: str, run: str, task: Mapping[str, Any]) -> Shown:
    """Read one task instance and its last log."""
    path = f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
    entries = airflow.call("GET", path)["content"]
    decision = exception = text = ""
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        if entry.get("event") == "Retry policy decision":
            decision = str(entry.get("reason"))
        if entry.get("event") == "Task failed with exception":
            first = entry["error_detail"][0]
            exception, text = first["exc_type"], first["exc_value"]
    log = json.dumps(entries)
    return Shown(str(task["state"]), int(task["try_number"]), exception, text, decision, log)


@dataclass
class Disturber:
    """Watch of our pods that disturbs those of some stages as soon as they run.

    Attributes:
        namespace: Namespace of the pods.
        actions: Disturbance of a running pod, by stage.
        seen: Uids of the pods that were seen, by stage.
    """

    namespace: Namespace
    actions: Mapping[str, Callable[[client.V1Pod], None]]
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _done: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Disturber:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.3):
            for pod in self.namespace.pods(OURS):
                self._look(pod)

    def _look(self, pod: client.V1Pod) -> None:
        stage, uid = pod.metadata.annotations[STAGE], pod.metadata.uid
        self.seen[stage].add(uid)
        started = pod.status.container_statuses and pod.status.container_statuses[0].state.running
        if stage in self.actions and started and uid not in self._done:
            self._done.add(uid)
            self.actions[stage](pod)
