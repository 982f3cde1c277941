"""Questions to the Kubernetes API are repeated where it is busy or away, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, ProtocolError

from components.contract.failures import FailureKind
from stormsight_dags.failures import StageFailure
from stormsight_dags.kubernetes.reader import ATTEMPTS, PodReader


class Client:
    """An API that answers with ``errors`` first, and with a pod from then on."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def read_namespaced_pod(self, name: str, namespace: str) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return f"{namespace}/{name}"

    def list_namespaced_pod(self, namespace: str, label_selector: str) -> Any:
        del label_selector
        return SimpleNamespace(items=(self.read_namespaced_pod("a", namespace),))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of every wait, which is skipped."""
    made: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", made.append)
    return made


def reader(client: Client) -> PodReader:
    return PodReader(client, "space", "optical")


@pytest.mark.parametrize(
    "error", [ApiException(status=503), ApiException(status=409), ProtocolError("reset")]
)
def test_a_passing_error_is_survived(error: Exception, waits: list[float]) -> None:
    client = Client(error, error)
    assert reader(client).pod("a") == "space/a"
    assert reader(client).pods("x=y") == ["space/a"]
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]


def test_a_busy_server_is_given_the_time_it_asks_for(waits: list[float]) -> None:
    error = ApiException(status=429)
    error.headers = {"Retry-After": "7"}
    assert reader(Client(error)).pod("a") == "space/a"
    assert waits == [7.0]


def test_an_absent_pod_is_none_at_once(waits: list[float]) -> None:
    assert reader(Client(ApiException(status=404))).pod("a") is None
    assert waits == []


@pytest.mark.parametrize(
    ("error", "kind", "calls"),
    [
        (ApiException(status=403, reason="Forbidden"), FailureKind.MISCONFIGURED, 1),
        (ApiException(status=500), FailureKind.CLUSTER, ATTEMPTS),
        (HTTPError("gone"), FailureKind.CLUSTER, ATTEMPTS),
    ],
)
def test_a_lasting_error_is_a_typed_failure(
    error: Exception, kind: FailureKind, calls: int, waits: list[float]
) -> None:
    client = Client(*[error] * 9)
    with pytest.raises(StageFailure) as failed:
        reader(client).pod("a")
    assert failed.value.kind is kind
    assert (client.calls, len(waits)) == (calls, calls - 1)
