"""Every class of failure, produced for real, and the exception and decision that Airflow shows.

The tasks are those of ``trial_dags/failures.py``. All run side by side in one DAG run; the tests look at
its results.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes import client

from tests.cluster.airflow_server import Airflow
from tests.cluster.environment import Namespace
from tests.cluster.failure_reading import OURS, Disturber, Shown, show

DAG = "trial_failures"
NOT_RETRIED = "it is not retried"

EXPECTED: dict[str, tuple[str, str, str]] = {
    "bad_data": ("BadData", NOT_RETRIED, "strip 7 is torn"),
    "missing_input": ("MissingInput", NOT_RETRIED, "exit code 66"),
    "source_unavailable": ("SourceUnavailable", "all 1 retries are used", "exit code 69"),
    "resource": ("ResourceLacking", NOT_RETRIED, "exit code 71"),
    "gate_refused": ("GateRefused", NOT_RETRIED, "exit code 77"),
    "misconfigured": ("Misconfigured", NOT_RETRIED, "exit code 78"),
    "code_error": ("CodeError", NOT_RETRIED, "ZeroDivisionError: division by zero"),
    "out_of_memory": ("OutOfMemory", NOT_RETRIED, "raise meta.memory"),
    "out_of_memory_sync": ("OutOfMemory", NOT_RETRIED, "raise meta.memory"),
    "deadline": ("DeadlineExceeded", NOT_RETRIED, "DeadlineExceeded"),
    "evicted": ("PodEvicted", "all 1 retries are used", "evicted"),
    "deleted": ("PodEvicted", "all 1 retries are used", "the pod was deleted"),
    "deleted_sync": ("PodEvicted", "all 1 retries are used", "the pod was deleted"),
    "unschedulable": ("Unschedulable", NOT_RETRIED, "Insufficient nvidia.com/gpu"),
    "unschedulable_sync": ("Unschedulable", NOT_RETRIED, "Insufficient nvidia.com/gpu"),
    "over_quota": ("Unschedulable", NOT_RETRIED, "exceeded quota"),
    "image_pull": ("ImagePullFailed", NOT_RETRIED, "stormsight-absent"),
    "image_pull_sync": ("ImagePullFailed", NOT_RETRIED, "stormsight-absent"),
    "startup": ("StartupFailed", NOT_RETRIED, "/no/such/command"),
    "no_secret": ("StartupFailed", NOT_RETRIED, 'secret "no-such-secret" not found'),
    "refused": ("Misconfigured", NOT_RETRIED, 'serviceaccount "nobody" not found'),
}
"""Exception, last decision of the retry policy, and a part of the exception's text, by task."""

PODS = {"evicted": 2, "deleted": 2, "deleted_sync": 2, "source_unavailable": 2, "refused": 0, "over_quota": 0}
"""Number of pods of a task, if not one."""


@pytest.fixture(scope="module")
def disturber(namespace: Namespace) -> Disturber:
    def delete(pod: client.V1Pod) -> None:
        namespace.cluster.core.delete_namespaced_pod(
            pod.metadata.name, namespace.name, grace_period_seconds=0
        )

    return Disturber(
        namespace, {"evicted": namespace.cluster.evict, "deleted": delete, "deleted_sync": delete}
    )


@pytest.fixture(scope="module")
def run(airflow: Airflow, disturber: Disturber) -> Iterator[str]:
    """The finished run."""
    airflow.wait_dags(DAG)
    airflow.client.pause(DAG, False)
    with disturber:
        run_id = airflow.client.trigger(DAG)
        assert airflow.client.wait_run(DAG, run_id) == "failed"
    yield run_id
    airflow.client.pause(DAG)


@pytest.fixture(scope="module")
def shown(airflow: Airflow, run: str) -> dict[str, Shown]:
    """Failures as Airflow shows them, by task; printed as a table for the record (``pytest -s``)."""
    found = {
        str(task["task_id"]): show(airflow.client, DAG, run, task) for task in airflow.client.tasks(DAG, run)
    }
    for name, task in sorted(found.items()):
        first = task.text.partition("\n")[0]
        print(f"| {name} | {task.state} | {task.exception} | {task.decision} | {first} |")
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_a_failure_has_its_type_its_budget_and_its_text(shown: dict[str, Shown], name: str) -> None:
    exception, decision, words = EXPECTED[name]
    task = shown[name]
    assert (task.state, task.exception) == ("failed", exception), task.log
    assert decision in task.decision
    assert words in task.text
    assert f"stage {name} failed:" in task.text
    assert "next step:" in task.text


def test_the_report_of_the_command_is_what_a_person_reads(shown: dict[str, Shown]) -> None:
    assert "mend strip 7" in shown["bad_data"].text
    assert "exit code 65" in shown["bad_data"].text


@pytest.mark.parametrize("name", EXPECTED)
def test_no_failure_shows_a_secret_or_the_pod(shown: dict[str, Shown], name: str) -> None:
    log = shown[name].log
    for leak in ("wJalrXUtnFEMI", "securityContext", "security_context", "volumeMounts", "secretRef"):
        assert leak not in log


def test_a_success_hands_out_its_result_as_a_hint(
    airflow: Airflow, run: str, shown: dict[str, Shown]
) -> None:
    assert shown["works"].state == "success"
    entry = airflow.client.call("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances/works/xcomEntries/result")
    assert "24" in str(entry["value"])


def test_exit_code_99_skips(shown: dict[str, Shown]) -> None:
    assert shown["nothing_to_do"].state == "skipped"


def test_no_try_had_a_second_pod(disturber: Disturber, shown: dict[str, Shown]) -> None:
    for name, task in shown.items():
        expected, had = PODS.get(name, 1), len(disturber.seen.get(name, ()))
        # A worker lost to a busy machine costs a try more, which takes the pod over if it is still there.
        assert expected <= had <= max(expected, task.tries), name


def test_every_pod_is_on_its_way_out(namespace: Namespace, run: str) -> None:
    ours = [pod for pod in namespace.pods(OURS) if pod.metadata.annotations.get("stormsight/run") == run]
    assert not [pod.metadata.name for pod in ours if pod.metadata.deletion_timestamp is None]
