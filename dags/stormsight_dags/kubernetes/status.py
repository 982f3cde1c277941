"""Status of a pod, reduced to what its classification needs and small enough to travel as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from components.contract.redaction import redact, redact_values

CONTAINER = "base"
"""Name of the one container of our pods; the pod operator's own default."""


@dataclass(frozen=True)
class PodStatus:
    """Status of a pod at one moment.

    Attributes:
        uid: The pod's identity; a later pod of the same name has another.
        phase: ``Pending``, ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``.
        reason: Why the pod as a whole ended (``Evicted``, ``DeadlineExceeded``, ...).
        message: The sentence beside ``reason``.
        node: The node it was bound to.
        started_at: When a kubelet took the pod over, seconds since 1970.
        deleted_at: When its grace period ends, if it is being deleted, seconds since 1970.
        unscheduled: The scheduler's sentence why no node takes it; empty if it is bound.
        disrupted: Reason of the condition ``DisruptionTarget`` (Kubernetes 1.26 and later).
        waiting: Why the container does not start (``ImagePullBackOff``, ...).
        waiting_message: The sentence beside ``waiting``.
        exit_code: The container's exit code, if it ended.
        exit_reason: The runtime's reason for that end (``OOMKilled``, ``Error``, ...).
        report: The container's termination message.
    """

    uid: str = ""
    phase: str = ""
    reason: str = ""
    message: str = ""
    node: str = ""
    started_at: float | None = None
    deleted_at: float | None = None
    unscheduled: str = ""
    disrupted: str = ""
    waiting: str = ""
    waiting_message: str = ""
    exit_code: int | None = None
    exit_reason: str = ""
    report: str = ""

    @property
    def succeeded(self) -> bool:
        """``True`` if the work was done, whatever became of the pod afterwards."""
        return self.phase == "Succeeded" or (self.exit_code == 0 and self.phase != "Failed")

    @property
    def ended(self) -> bool:
        """``True`` if nothing will run in this pod any more."""
        return self.exit_code is not None or self.phase in {"Succeeded", "Failed"}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for an event of an Airflow trigger."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PodStatus:
        """Restore a status from :meth:`as_dict`; keys of another version are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


@dataclass(frozen=True)
class PodEvent:
    """Event that Kubernetes recorded about a pod."""

    reason: str
    message: str
    uid: str = ""


def read_status(pod: Any, container: str = CONTAINER) -> PodStatus:  # noqa: ANN401 - either client's V1Pod
    """Reduce a ``V1Pod`` of the synchronous or the asynchronous client."""
    status, metadata = pod.status, pod.metadata
    conditions = {c.type: c for c in (status.conditions or [])}
    scheduled: Any = conditions.get("PodScheduled")
    disrupted: Any = conditions.get("DisruptionTarget")
    state = _container_state(status, container)
    ended = getattr(state, "terminated", None)
    waiting = getattr(state, "waiting", None)
    return PodStatus(
        uid=metadata.uid or "",
        phase=status.phase or "",
        reason=status.reason or "",
        message=status.message or "",
        node=pod.spec.node_name or "",
        started_at=_seconds(status.start_time),
        deleted_at=_seconds(metadata.deletion_timestamp),
        unscheduled=(scheduled.message or "no node fits") if _is(scheduled, "False") else "",
        disrupted=(disrupted.reason or "") if _is(disrupted, "True") else "",
        waiting=(waiting.reason or "") if waiting else "",
        waiting_message=(waiting.message or "") if waiting else "",
        exit_code=ended.exit_code if ended else None,
        exit_reason=(ended.reason or "") if ended else "",
        report=_report(ended.message or "") if ended else "",
    )


def _container_state(status: Any, container: str) -> Any:  # noqa: ANN401 - either client's V1ContainerState
    return next((c.state for c in (status.container_statuses or []) if c.name == container), None)


def _report(text: str) -> str:
    """Return a termination message without credentials: the triggerer's log shows it."""
    try:
        values = json.loads(text)
    except ValueError:
        return redact(text)
    return json.dumps(redact_values(values)) if isinstance(values, dict) else redact(text)


def _is(condition: Any, value: str) -> bool:  # noqa: ANN401 - either client's V1PodCondition
    return condition is not None and condition.status == value


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


NODE_LOST_AFTER_S = 60.0
"""Seconds after a deleted pod's grace period: a kubelet that has not confirmed the end by then is gone."""

BROKEN_START_AFTER_S = 30.0
"""Seconds that a container may wait with an error before it counts as broken: a Secret may be on its way."""

BROKEN_START = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "InvalidImageName"}
)
"""Waiting reasons that say the pod is wrong, not that it is slow."""


def node_lost(status: PodStatus, now: float) -> bool:
    """Return ``True`` if the pod's node has stopped answering.

    Such a pod keeps its last phase, ``Running``, until the node comes back, so waiting for its end waits
    for ever. After five minutes (the pod's toleration) it is marked as deleted; a node that does not confirm
    the deletion is gone.

    Args:
        status: The pod.
        now: The present, seconds since 1970.
    """
    if status.ended:
        return False
    if status.reason == "NodeLost" or status.phase == "Unknown":
        return True
    overdue = status.deleted_at is not None and now - status.deleted_at > NODE_LOST_AFTER_S
    return overdue and bool(status.node)


def stuck_reason(status: PodStatus, now: float) -> str:
    """Return why this pod will never end by itself, in words; empty if it may still run or has ended.

    Args:
        status: The pod.
        now: The present, seconds since 1970.
    """
    if node_lost(status, now):
        return f"node {status.node} does not answer any more"
    waited = now - (status.started_at if status.started_at is not None else now)
    if status.waiting in BROKEN_START and waited > BROKEN_START_AFTER_S:
        return f"the container cannot start: {status.waiting}"
    return ""
