"""Questions to the Kubernetes API about our pods; an API that does not answer raises a typed failure."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from kubernetes.client import CoreV1Api
from kubernetes.client.exceptions import ApiException
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential
from urllib3.exceptions import HTTPError

from stormsight_dags.failures import TAIL_LINES, Failure, exception_for
from stormsight_dags.kubernetes.classify import classify_refusal
from stormsight_dags.kubernetes.status import CONTAINER, PodEvent, PodStatus, stuck_reason

LOG_TIMEOUT_S = 15
"""Seconds to wait for a log: of a pod whose node is gone, the API server refuses it after half a minute."""

NO_LOG = "unable to retrieve container logs"
"""Text that a kubelet sends in place of the log of a container it has removed."""

ATTEMPTS = 5
LONGEST_WAIT_S = 15.0
TRANSIENT_STATUS = frozenset({409, 429, 500, 502, 503, 504})
"""HTTP statuses of the API server that a second question may not meet."""


@dataclass(frozen=True)
class PodReader:
    """Reader of the pods of one namespace.

    Attributes:
        client: The core API.
        namespace: Namespace of the pods.
        stage: Name in failures.
        container: Container whose log is read.
    """

    client: CoreV1Api
    namespace: str
    stage: str
    container: str = CONTAINER

    def pod(self, name: str) -> Any:  # noqa: ANN401 - the client is untyped
        """Return the pod; ``None`` if it is gone.

        Raises:
            StageFailure: If Kubernetes does not answer, or refuses.
        """
        try:
            return _retrying()(self.client.read_namespaced_pod, name, self.namespace)
        except (ApiException, HTTPError) as error:
            if getattr(error, "status", None) == 404:
                return None
            raise exception_for(refusal(self.stage, error)) from None

    def pods(self, selector: str) -> list[Any]:
        """Return the pods with these labels.

        Raises:
            StageFailure: If Kubernetes does not answer, or refuses.
        """
        try:
            found = _retrying()(self.client.list_namespaced_pod, self.namespace, label_selector=selector)
        except (ApiException, HTTPError) as error:
            raise exception_for(refusal(self.stage, error)) from None
        return list(found.items)

    def events(self, name: str) -> tuple[PodEvent, ...]:
        """Return the events recorded about the pod; none if Kubernetes does not answer."""
        field = f"involvedObject.name={name}"
        try:
            found = self.client.list_namespaced_event(self.namespace, field_selector=field).items
        except (ApiException, HTTPError):
            return ()
        return tuple(PodEvent(e.reason or "", e.message or "", e.involved_object.uid or "") for e in found)

    def log_tail(self, name: str, status: PodStatus | None) -> str:
        """Return the end of the pod's log; empty if it cannot be had."""
        if status is None or not status.node or stuck_reason(status, time.time()):
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
    """Return the failure with the API's own sentence; never its whole answer, which may repeat the pod."""
    if not isinstance(error, ApiException):
        return classify_refusal(stage, None, type(error).__name__)
    try:
        text = str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        text = str(error.reason)
    return classify_refusal(stage, error.status, text)


def _retrying() -> Retrying:
    """Repeat a call that failed for a passing reason; the last error is raised as it is."""
    return Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        retry=retry_if_exception(_is_transient),
        reraise=True,
    )


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, ApiException):
        return error.status in TRANSIENT_STATUS
    return isinstance(error, HTTPError)


def _wait(state: RetryCallState) -> float:
    """Return the seconds that a busy API server asks for (``Retry-After``), else exponentially more."""
    error = state.outcome.exception() if state.outcome else None
    headers = error.headers if isinstance(error, ApiException) and error.status == 429 else None
    asked = str((headers or {}).get("Retry-After") or "")
    return float(asked) if asked.isdecimal() else wait_exponential(min=1, max=LONGEST_WAIT_S)(state)
