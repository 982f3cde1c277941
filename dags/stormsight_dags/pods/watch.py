"""Watching a pod without waiting for ever: the provider's pod managers and trigger, given our judgement.

The provider waits until a container ends or a pod's start times out. A pod whose node is gone never ends, and
a pod that Kubernetes cannot start stays pending until the time-out; both are noticed here with each look at
the pod. Each look is also kept, since a pod that is deleted from outside leaves nothing to look at.
"""

from __future__ import annotations

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

from stormsight_dags.pods.redaction import redact
from stormsight_dags.pods.status import PodStatus, hopeless, read_status

LAST_SEEN = "last_seen"
"""Key of a trigger's event under which the last look at the pod travels."""


class StagePodManager(PodManager):
    """Pod manager of the synchronous operator.

    Attributes:
        last_seen: How the pod was when it was last looked at.
    """

    last_seen: PodStatus | None = None

    def read_pod(self, pod: Any) -> Any:  # noqa: ANN401 - the provider's V1Pod is untyped
        """Read the pod.

        Raises:
            PodLaunchTimeoutException: If waiting for it is in vain.
        """
        remote = super().read_pod(pod)
        self.last_seen = read_status(remote)
        _refuse_hopeless(self.last_seen)
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
    """Pod manager of the trigger, for the time until the pod runs."""

    async def read_pod(self, pod: Any) -> Any:  # noqa: ANN401
        """Read the pod.

        Raises:
            PodLaunchTimeoutException: If waiting for it is in vain.
        """
        try:
            remote = await super().read_pod(pod)
        except Exception as error:
            _refuse_absence(error)
            raise
        _refuse_hopeless(read_status(remote))
        return remote

    def _emit_container_logs(self, logs: list[str], now: Any, container_name: str) -> None:  # noqa: ANN401
        super()._emit_container_logs([redact(line) for line in logs], now, container_name)


class StagePodTrigger(KubernetesPodTrigger):
    """The provider's trigger, with the last look at the pod in its event.

    The triggerer imports it by name, so ``dags/`` has to be on its ``PYTHONPATH``.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The arguments, under our own class."""
        return f"{__name__}.{type(self).__qualname__}", super().serialize()[1]

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        """The pod manager that gives up on a hopeless pod."""
        return AsyncStagePodManager(async_hook=self.hook)

    async def _get_pod(self) -> Any:  # type: ignore[override]  # noqa: ANN401
        try:
            pod = await super()._get_pod()
        except Exception as error:
            _refuse_absence(error)
            raise
        status = read_status(pod, self.base_container_name)
        # What is in here goes into every event.
        self.trigger_kwargs[LAST_SEEN] = status.as_dict()
        _refuse_hopeless(status)
        return pod


def _refuse_absence(error: Exception) -> None:
    if getattr(error, "status", None) == 404:
        raise PodLaunchTimeoutException("the pod is gone") from None


def _refuse_hopeless(status: PodStatus) -> None:
    if reason := hopeless(status, time.time()):
        # Of all exceptions the provider knows, the one it handles without a traceback and without waiting on.
        raise PodLaunchTimeoutException(reason)
