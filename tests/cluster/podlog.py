"""Log of every pod that was seen in a namespace, since the operator deletes pods that have ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubernetes import client, watch

from tests.cluster.environment import Namespace


@dataclass
class PodLog:
    """A watch on the pods of a namespace.

    Attributes:
        namespace: Namespace that is watched.
        seen: The last state of each pod, by uid.
    """

    namespace: Namespace
    seen: dict[str, client.V1Pod] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    def start(self) -> None:
        threading.Thread(target=self._follow, name="pod log", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def pods(self, **labels: str) -> list[client.V1Pod]:
        """Return the pods with these labels, oldest first; ``stormsight_x`` stands for ``stormsight/x``."""
        wanted = {name.replace("stormsight_", "stormsight/"): value for name, value in labels.items()}
        found = [p for p in list(self.seen.values()) if wanted.items() <= (p.metadata.labels or {}).items()]
        return sorted(found, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))

    def _follow(self) -> None:
        core = self.namespace.cluster.core
        version = ""
        while not self._stopped.is_set():
            stream = watch.Watch().stream(
                core.list_namespaced_pod, self.namespace.name, timeout_seconds=5, resource_version=version
            )
            try:
                for event in stream:
                    pod = event["object"]
                    version = pod.metadata.resource_version
                    pod.metadata.annotations = pod.metadata.annotations or {}  # not every pod is a stage's
                    self.seen[pod.metadata.uid] = pod
            except client.ApiException:
                version = ""  # too old: list again


def ended(pod: client.V1Pod) -> Any:
    """Return the terminated state of a pod's container, None before."""
    statuses = pod.status.container_statuses or []
    return statuses[0].state.terminated if statuses else None


def lifetime_s(pod: client.V1Pod) -> float:
    """Return the seconds from a pod's creation to its container's end (Kubernetes keeps whole seconds)."""
    state = ended(pod)
    assert state is not None, f"{pod.metadata.name} has not ended"
    finished: datetime = state.finished_at
    return float((finished - pod.metadata.creation_timestamp).total_seconds())


def has_started(pod: client.V1Pod) -> bool:
    """Return ``True`` from the start of a pod's container on: a look may come after its end."""
    statuses = pod.status.container_statuses or []
    return bool(statuses and (statuses[0].state.running or statuses[0].state.terminated))
