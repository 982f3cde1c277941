"""Watch of a pod that does not wait for ever: the provider's pod managers and trigger with our own checks.

The provider waits until a container ends or a pod's start times out. A pod whose node is gone never ends, and
a pod that Kubernetes cannot start stays pending until the time-out; both are noticed here with each look at
the pod. Each look is also kept, since nothing is left of a pod that is deleted from outside.
"""

from __future__ import annotations

import asyncio
import time
from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import (
    AsyncPodManager,
    PodLaunchTimeoutException,
    PodManager,
)
from kubernetes.client.exceptions import ApiException

from components.contract.redacted_streams import LineRedactor
from stormsight_dags.airflow.notices import StallWarnings
from stormsight_dags.kubernetes.status import PodStatus, read_status, stuck_reason
from stormsight_dags.liveness import RunAtWork, SignsOfLife

LAST_SEEN = "last_seen"
"""Key of a trigger's event under which the last look at the pod travels."""

AT_WORK = "at_work"
"""Key of a trigger's arguments under which the run is that holds a claim."""

PENDING = "Pending"
"""Phase of a pod whose container has not started."""


class StagePodManager(PodManager):
    """Pod manager of the synchronous operator.

    Args:
        signs: Signs of life of the run, given while the pod has not started.
        **kwargs: Arguments of ``PodManager``.

    Attributes:
        last_seen: Status of the pod at the last look.
    """

    last_seen: PodStatus | None = None

    def __init__(self, *, signs: SignsOfLife, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._signs = signs

    def read_pod(self, pod: Any) -> Any:  # noqa: ANN401 - the provider's V1Pod is untyped
        """Read the pod.

        Raises:
            PodLaunchTimeoutException: If it will never end by itself.
        """
        remote = super().read_pod(pod)
        self.last_seen = read_status(remote)
        _raise_if_stuck(self.last_seen)
        if self.last_seen.phase == PENDING:
            self._signs.give_when_due()
        return remote

    def run_pod_async(self, pod: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Create the pod, or take over the one that already has its name.

        Not the provider's version: that one writes the whole pod into the log when Kubernetes refuses it,
        and tries a name that is taken again and again.
        """
        body = self._client.api_client.sanitize_for_serialization(pod)
        try:
            return self._client.create_namespaced_pod(body=body, namespace=pod.metadata.namespace, **kwargs)
        except ApiException as error:
            if error.status != 409 or "AlreadyExists" not in str(error.body):
                raise
        self.log.info("Pod %s exists already: it is taken over.", pod.metadata.name)
        return super().read_pod(pod)


class AsyncStagePodManager(AsyncPodManager):
    """Pod manager of the trigger: it waits until the pod runs, and shows its log.

    Args:
        warnings: Watch over the lines of the log.
        signs: Signs of life of the run, given while the pod has not started.
        **kwargs: Arguments of ``AsyncPodManager``.
    """

    def __init__(self, *, warnings: StallWarnings, signs: SignsOfLife, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._warnings = warnings
        self._signs = signs
        self._redact = LineRedactor()

    async def read_pod(self, pod: Any) -> Any:  # noqa: ANN401
        """Read the pod.

        Raises:
            PodLaunchTimeoutException: If it will never end by itself.
        """
        try:
            remote = await super().read_pod(pod)
        except Exception as error:
            _raise_if_absent(error)
            raise
        status = read_status(remote)
        _raise_if_stuck(status)
        if status.phase == PENDING:
            await asyncio.to_thread(self._signs.give_when_due)
        return remote

    def _emit_container_logs(self, logs: list[str], now: Any, container_name: str) -> None:  # noqa: ANN401
        lines = [self._redact(line) for line in logs]
        super()._emit_container_logs(lines, now, container_name)
        for line in lines:  # in a thread of its own, as the provider calls this
            self._warnings.look(line)


class StagePodTrigger(KubernetesPodTrigger):
    """The provider's trigger, with the last look at the pod in its event.

    The triggerer imports it by name, so ``dags/`` and the folder of ``components/`` have to be on its
    ``PYTHONPATH``.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return our own class and its arguments."""
        return f"{__name__}.{type(self).__qualname__}", super().serialize()[1]

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        """Pod manager that gives up on a pod that will never end."""
        run = self.trigger_kwargs.get(AT_WORK)
        return AsyncStagePodManager(
            async_hook=self.hook,
            warnings=StallWarnings(self.task_instance),
            signs=SignsOfLife(None if run is None else RunAtWork(**run)),
        )

    async def _get_pod(self) -> Any:  # type: ignore[override]  # noqa: ANN401
        try:
            pod = await super()._get_pod()
        except Exception as error:
            _raise_if_absent(error)
            raise
        status = read_status(pod, self.base_container_name)
        # What is in here goes into every event.
        self.trigger_kwargs[LAST_SEEN] = status.as_dict()
        _raise_if_stuck(status)
        return pod


def _raise_if_absent(error: Exception) -> None:
    if getattr(error, "status", None) == 404:
        raise PodLaunchTimeoutException("the pod is gone") from None


def _raise_if_stuck(status: PodStatus) -> None:
    if reason := stuck_reason(status, time.time()):
        # Of all exceptions the provider knows, the one it handles without a traceback and without waiting on.
        raise PodLaunchTimeoutException(reason)
