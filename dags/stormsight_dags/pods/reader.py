"""Asks the Kubernetes API about our pods; where it does not answer, the failure is typed already."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import generic_api_retry
from kubernetes.client import CoreV1Api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from stormsight_dags.pods.classify import classify_refusal
from stormsight_dags.pods.failures import TAIL_LINES, Failure, raised
from stormsight_dags.pods.status import CONTAINER, PodEvent, PodStatus, hopeless

LOG_TIMEOUT_S = 15
"""The log of a pod on a node that is gone takes the API server half a minute to refuse."""

NO_LOG = "unable to retrieve container logs"
"""What a kubelet says in place of the log of a container it has removed."""


@dataclass(frozen=True)
class PodReader:
    """Reads pods of one namespace.

    Attributes:
        client: The core API.
        namespace: Where the pods are.
        stage: Named in failures.
        container: Whose log is read.
    """

    client: CoreV1Api
    namespace: str
    stage: str
    container: str = CONTAINER

    def pod(self, name: str) -> Any:  # noqa: ANN401 - the client is untyped
        """The pod; ``None`` if it is gone.

        Raises:
            StageFailure: If Kubernetes does not say.
        """
        try:
            return _patiently(self.client.read_namespaced_pod, name, self.namespace)
        except (ApiException, HTTPError) as error:
            if getattr(error, "status", None) == 404:
                return None
            raise raised(refusal(self.stage, error)) from None

    def pods(self, selector: str) -> list[Any]:
        """The pods with these labels.

        Raises:
            StageFailure: If Kubernetes does not say.
        """
        try:
            found = _patiently(self.client.list_namespaced_pod, self.namespace, label_selector=selector)
        except (ApiException, HTTPError) as error:
            raise raised(refusal(self.stage, error)) from None
        return list(found.items)

    def events(self, name: str) -> tuple[PodEvent, ...]:
        """What Kubernetes recorded about the pod; nothing if it does not say."""
        field = f"involvedObject.name={name}"
        try:
            found = self.client.list_namespaced_event(self.namespace, field_selector=field).items
        except (ApiException, HTTPError):
            return ()
        return tuple(PodEvent(e.reason or "", e.message or "", e.involved_object.uid or "") for e in found)

    def log_tail(self, name: str, status: PodStatus | None) -> str:
        """The end of the pod's log; empty if it cannot be had."""
        if status is None or not status.node or hopeless(status, time.time()):
            return ""
        try:
            answer = self.client.read_namespaced_pod_log(
                name,
                self.namespace,
                container=self.container,
                tail_lines=TAIL_LINES,
                _request_timeout=LOG_TIMEOUT_S,
                _preload_content=False,  # the client would show the bytes' repr
            )
        except (ApiException, HTTPError):
            return ""
        text = str(answer.data.decode(errors="replace"))
        return "" if text.startswith(NO_LOG) else text


def refusal(stage: str, error: ApiException | HTTPError) -> Failure:
    """The API's own sentence; never its whole answer, which may repeat the pod."""
    if not isinstance(error, ApiException):
        return classify_refusal(stage, None, type(error).__name__)
    try:
        text = str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        text = str(error.reason)
    return classify_refusal(stage, error.status, text)


def _patiently(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
    """Repeat a call that failed for a passing reason, as the provider does."""
    repeated: Callable[..., Any] = generic_api_retry(call)  # type: ignore[no-untyped-call]
    return repeated(*arguments, **options)
