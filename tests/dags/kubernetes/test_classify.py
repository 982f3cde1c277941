"""Classification alone; tests/cluster/test_failures.py has it on real pods."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import models as k8s

from components.contract.failures import FAILURE_CLASSES, FailureKind
from stormsight_dags.failures import EXCEPTIONS, StageFailure, exception_for, tail_of
from stormsight_dags.kubernetes.classify import (
    Evidence,
    classify,
    classify_exit,
    classify_refusal,
    is_skip,
    read_report,
    skipped,
    succeeded,
)
from stormsight_dags.kubernetes.status import PodEvent, PodStatus, node_lost, read_status, stuck_reason

NOW = 1_800_000_000.0
RUNNING = PodStatus(uid="u", phase="Running", node="lab", started_at=NOW - 90)
FAILED = replace(RUNNING, phase="Failed")
PENDING = PodStatus(uid="u", phase="Pending")


def evidence(status: PodStatus | None, **more: Any) -> Evidence:
    return Evidence(stage="distill@disoptnet", pod="distill-0", status=status, now=NOW, **more)


def kind(status: PodStatus | None, **more: Any) -> str:
    return classify(evidence(status, **more)).kind.value


def ended(code: int, reason: str = "Error", **more: Any) -> PodStatus:
    return replace(FAILED, exit_code=code, exit_reason=reason, **more)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (65, "bad_data"),
        (66, "missing_input"),
        (69, "source_unavailable"),
        (71, "resource"),
        (77, "gate_refused"),
        (78, "misconfigured"),
        (1, "code_error"),
        (2, "code_error"),
        (134, "crashed"),
        (139, "crashed"),
        (143, "evicted"),
        (137, "out_of_memory"),
    ],
)
def test_exit_codes(code: int, expected: str) -> None:
    assert kind(ended(code)) == expected
    assert classify_exit("validate", code).kind.value == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ended(137, "OOMKilled"), "out_of_memory"),
        # The command's parent survived the kill and left with a code of its own.
        (ended(1, "OOMKilled"), "out_of_memory"),
        (replace(ended(137), reason="DeadlineExceeded"), "deadline"),
        (replace(ended(137), reason="Evicted"), "evicted"),
        (replace(FAILED, reason="Evicted", message="low on resource: memory"), "evicted"),
        (replace(FAILED, reason="OutOfnvidia.com/gpu"), "unschedulable"),
        (ended(137, deleted_at=NOW), "evicted"),
        (ended(1, deleted_at=NOW), "evicted"),
        # Whoever ended with a verdict of its own keeps it, deleted or not.
        (ended(65, deleted_at=NOW), "bad_data"),
        (ended(143, disrupted="PreemptionByScheduler"), "evicted"),
        (replace(FAILED, disrupted="DeletionByPodGC"), "node_lost"),
        (replace(RUNNING, disrupted="DeletionByTaintManager", deleted_at=NOW), "node_lost"),
        (replace(RUNNING, deleted_at=NOW - 3600), "node_lost"),
        (replace(RUNNING, phase="Unknown"), "node_lost"),
        (ended(127, "ContainerCannotRun"), "startup"),
        (ended(128, "StartError"), "startup"),
        (replace(PENDING, waiting="ImagePullBackOff"), "image_pull"),
        (replace(PENDING, waiting="ErrImageNeverPull"), "image_pull"),
        (replace(PENDING, waiting="InvalidImageName"), "startup"),
        (replace(PENDING, waiting="CreateContainerConfigError"), "startup"),
        (replace(PENDING, unscheduled="0/2 nodes are available: 2 Insufficient cpu."), "unschedulable"),
        (PENDING, "startup"),
        (replace(FAILED, reason="SomethingNew"), "unknown"),
        (None, "evicted"),
    ],
)
def test_pods(status: PodStatus | None, expected: str) -> None:
    assert kind(status) == expected


def test_a_vanished_pod_is_judged_by_how_it_was_last_seen() -> None:
    assert kind(None, last_seen=ended(65)) == "bad_data"
    assert kind(None, last_seen=RUNNING) == "evicted"
    assert succeeded(evidence(None, last_seen=replace(RUNNING, exit_code=0)))
    assert skipped(evidence(None, last_seen=ended(99)))


def test_events_tell_why_a_pod_vanished_if_they_are_about_this_pod() -> None:
    preempted = PodEvent("Preempted", "by default/important on node lab", "u")
    assert "Preempted" in classify(evidence(None, last_seen=RUNNING, events=(preempted,))).reason
    unreachable = PodEvent("NodeNotReady", "Node is not ready", "u")
    assert kind(None, last_seen=RUNNING, events=(unreachable,)) == "node_lost"
    earlier = replace(unreachable, uid="another")
    assert kind(None, last_seen=RUNNING, events=(earlier,)) == "evicted"


def test_a_pod_that_still_runs_ran_out_of_time() -> None:
    assert kind(RUNNING, cause="execution_timeout") == "deadline"


def test_the_text_says_what_a_person_needs_and_no_secret() -> None:
    report = {"class": "bad_data", "exit_code": 65, "message": "strip 7 is torn", "next_step": "mend strip 7"}
    log = "reading\nSECRET_KEY=hunter2hunter2\nerror: strip 7 is torn"
    text = classify(evidence(ended(65, report=json.dumps(report)), log_tail=log)).text()
    for part in (
        "distill@disoptnet",
        "bad_data",
        "exit code 65",
        "strip 7 is torn",
        "mend strip 7",
        "reading",
    ):
        assert part in text
    assert "hunter2" not in text


def test_loose_words_in_place_of_a_report_are_a_log_tail() -> None:
    failure = classify(evidence(ended(1, report="Traceback (most recent call last):\nZeroDivisionError")))
    assert "ZeroDivisionError" in failure.text()


def test_a_long_log_is_cut_at_its_beginning() -> None:
    tail = tail_of("\n".join(f"line {n}" for n in range(1000)))
    assert tail.endswith("line 999")
    assert "line 1\n" not in tail


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (403, "pods is forbidden: exceeded quota: stormsight", "unschedulable"),
        (403, "pods is forbidden: no rights", "misconfigured"),
        (422, "Pod is invalid", "misconfigured"),
        (503, "unavailable", "cluster"),
        (429, "too many", "cluster"),
        (None, "MaxRetryError", "cluster"),
    ],
)
def test_what_kubernetes_refuses(status: int | None, text: str, expected: str) -> None:
    failure = classify_refusal("plan", status, text)
    assert failure.kind.value == expected
    assert text in failure.text()


def test_a_signal_ended_a_local_process() -> None:
    assert classify_exit("optical", -9).kind is FailureKind.OUT_OF_MEMORY
    assert classify_exit("optical", -15).kind is FailureKind.EVICTED


def test_every_kind_has_one_exception_and_all_are_stage_failures() -> None:
    names = {kind: row.airflow_name for kind, row in FAILURE_CLASSES.items() if row.airflow_name}
    assert {kind: exception.__name__ for kind, exception in EXCEPTIONS.items()} == names
    assert len(set(EXCEPTIONS.values())) == len(names)
    for found, exception in EXCEPTIONS.items():
        assert exception.kind is found
        assert issubclass(exception, StageFailure)


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", '{"message": null}', "\x00"])
def test_a_damaged_report_is_no_trouble(text: str) -> None:
    assert read_report(text).message == ""


STATUSES = st.builds(
    PodStatus,
    uid=st.sampled_from(["", "u"]),
    phase=st.sampled_from(["", "Pending", "Running", "Failed", "Unknown"]),
    reason=st.sampled_from(["", "Evicted", "DeadlineExceeded", "NodeLost", "OutOfcpu", "Else"]),
    node=st.sampled_from(["", "lab"]),
    started_at=st.none() | st.floats(0, NOW),
    deleted_at=st.none() | st.floats(0, 2 * NOW),
    unscheduled=st.sampled_from(["", "no node"]),
    disrupted=st.sampled_from(["", "EvictionByEvictionAPI", "DeletionByPodGC"]),
    waiting=st.sampled_from(["", "ContainerCreating", "ImagePullBackOff", "CreateContainerError"]),
    exit_code=st.none() | st.integers(0, 255),
    exit_reason=st.sampled_from(["", "Error", "OOMKilled", "StartError", "Completed"]),
    report=st.text(max_size=40),
)


@given(st.none() | STATUSES, st.none() | STATUSES, st.text(max_size=20))
def test_every_pod_gets_a_verdict(status: PodStatus | None, seen: PodStatus | None, cause: str) -> None:
    failure = classify(evidence(status, last_seen=seen, cause=cause))
    assert failure.text()
    assert exception_for(failure).kind is failure.kind
    known = status or seen
    if (
        known is not None
        and known.exit_code in (65, 77)
        and known.exit_reason == "Error"
        and not known.reason
    ):
        assert failure.kind in (FailureKind.BAD_DATA, FailureKind.GATE_REFUSED)


@given(STATUSES)
def test_a_status_survives_its_journey_through_a_trigger_event(status: PodStatus) -> None:
    assert PodStatus.from_dict(json.loads(json.dumps(status.as_dict()))) == status
    assert PodStatus.from_dict({**status.as_dict(), "of_a_later_version": 1}) == status


def pod(**status: Any) -> k8s.V1Pod:
    metadata = k8s.V1ObjectMeta(uid="u", deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC))
    spec = k8s.V1PodSpec(node_name="lab", containers=[k8s.V1Container(name="base")])
    return k8s.V1Pod(metadata=metadata, spec=spec, status=k8s.V1PodStatus(**status))


def ended_container(message: str) -> k8s.V1ContainerStatus:
    end = k8s.V1ContainerStateTerminated(exit_code=65, reason="Error", message=message)
    state = k8s.V1ContainerState(terminated=end)
    return k8s.V1ContainerStatus(
        name="base", image="i", image_id="i", ready=False, restart_count=0, state=state
    )


def test_a_report_is_redacted_and_stays_json() -> None:
    """It travels through the triggerer, whose log shows it."""
    loose = read_status(pod(phase="Failed", container_statuses=[ended_container("TOKEN=hunter2 failed")]))
    assert loose.report == "TOKEN=*** failed"
    report = {"message": "seen TOKEN=hunter2", "result": {"tokens": 7, "api_key": "hunter2", "of": ["a"]}}
    read = read_status(pod(container_statuses=[ended_container(json.dumps(report))]))
    assert json.loads(read.report) == {
        "message": "seen TOKEN=***",
        "result": {"tokens": 7, "api_key": "***", "of": ["a"]},
    }


def test_reading_a_pod() -> None:
    container = ended_container("why")
    conditions = [
        k8s.V1PodCondition(type="PodScheduled", status="False", message="0/2 nodes"),
        k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI"),
    ]
    read = read_status(pod(phase="Failed", conditions=conditions, container_statuses=[container]))
    assert (read.exit_code, read.exit_reason, read.report) == (65, "Error", "why")
    assert (read.unscheduled, read.disrupted, read.node) == ("0/2 nodes", "EvictionByEvictionAPI", "lab")
    assert read.deleted_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_reading_a_pod_that_nobody_has_touched_yet() -> None:
    assert read_status(pod()) == PodStatus(uid="u", node="lab", deleted_at=1767225600.0)
    assert {f.name for f in fields(PodStatus)} >= set(read_status(pod()).as_dict())


def test_when_waiting_is_in_vain() -> None:
    assert not stuck_reason(RUNNING, NOW)
    assert not stuck_reason(PENDING, NOW)
    assert not node_lost(replace(RUNNING, deleted_at=NOW - 30), NOW)
    assert stuck_reason(replace(RUNNING, deleted_at=NOW - 90), NOW)
    # Not bound to a node: it will go by itself.
    assert not stuck_reason(replace(PENDING, deleted_at=NOW - 90), NOW)
    broken = replace(PENDING, waiting="CreateContainerConfigError", started_at=NOW - 10)
    assert not stuck_reason(broken, NOW)
    assert stuck_reason(broken, NOW + 60)
    assert not stuck_reason(ended(1, deleted_at=NOW - 900), NOW)


@pytest.mark.parametrize(
    ("code", "refusal_skips", "expected"),
    [(99, False, True), (77, True, True), (77, False, False), (65, True, False), (0, True, False)],
)
def test_a_refusal_skips_where_it_is_an_ordinary_result(
    code: int, refusal_skips: bool, expected: bool
) -> None:
    assert skipped(evidence(ended(code)), refusal_skips=refusal_skips) is expected
    assert is_skip(code, refusal_skips=refusal_skips) is expected


def test_a_report_says_whether_people_are_to_be_told() -> None:
    assert (
        read_report('{"class": "nothing_to_do", "message": "barred", "notice": "barred"}').notice == "barred"
    )
    assert not read_report('{"class": "nothing_to_do", "message": "trained"}').notice
