"""The pod that is made from settings and work, and the operator around it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.contract.errors import ParameterError
from components.contract.work import Requirements, Work
from stormsight_dags.airflow.pod_operator import StagePodOperator
from stormsight_dags.kubernetes.manifest import (
    environment,
    pod_template,
    quantity,
    resources,
)
from stormsight_dags.kubernetes.names import label_value, pod_name
from tests.dags.kubernetes.trial_settings import settings

GOLDEN = Path(__file__).parent / "golden"

TRAIN = Work(
    command=("python", "-m", "components.runs", "stage", "distill@disoptnet", "--run", "{{ run_id }}"),
    requirements=Requirements(image="train", cpu=4, memory="16Gi", gpu=1, retry="train"),
    stage="distill@disoptnet",
)
SERVICE = Work(
    command=("python", "-m", "components.runs", "gate", "--run", "{{ run_id }}"),
    requirements=Requirements(memory="512Mi", retry="gate"),
)
PLAIN = Work(("true",))


@pytest.mark.parametrize(
    ("name", "task_id", "work"),
    [("train", "pipeline.distill__disoptnet", TRAIN), ("service", "gate", SERVICE)],
)
def test_the_pod_is_the_golden_one(
    name: str, task_id: str, work: Work, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """To renew a file after a wanted change: copy the one that the failure names."""
    StagePodOperator(task_id=task_id, work=work, settings=settings()).dry_run()
    printed = capsys.readouterr().out
    made = yaml.safe_load(printed[printed.index("api_version: v1") :])
    assert made["metadata"]["labels"].pop("airflow_version")
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(made, sort_keys=True))
    assert made == yaml.safe_load((GOLDEN / f"{name}.yaml").read_text()), tmp_path / f"{name}.yaml"


def test_only_gpu_stages_get_a_gpus_surroundings() -> None:
    spec = pod_template(settings(), PLAIN, "plan")["spec"]
    assert not {"nodeSelector", "tolerations", "runtimeClassName"} & set(spec)
    assert "shm" not in {volume["name"] for volume in spec["volumes"]}


def test_without_priority_classes_none_is_named() -> None:
    spec = pod_template(settings(priority_classes=None), PLAIN, "plan")["spec"]
    assert "priorityClassName" not in spec


PLACEMENT = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
            ]
        }
    }
}


def test_what_a_platform_adds_reaches_the_pod_that_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    added = settings(
        image_pull_secrets=["registry"],
        labels={"kueue.x-k8s.io/queue-name": "research", "cost-centre": "4711"},
        annotations={"sidecar.istio.io/inject": "false"},
        affinity=PLACEMENT,
    )
    made = pod_template(added, TRAIN, "distill@disoptnet")
    whole = {**made, "metadata": {**made["metadata"], "name": "a"}}
    assert kubernetes_validate.validate(whole, "1.34", strict=True)
    StagePodOperator(task_id="t", work=TRAIN, settings=added).dry_run()
    printed = capsys.readouterr().out
    sent = yaml.safe_load(printed[printed.index("api_version: v1") :])
    assert sent["spec"]["image_pull_secrets"] == [{"name": "registry"}]
    assert sent["spec"]["affinity"]["node_affinity"]
    assert sent["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "research"
    assert sent["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "stormsight"
    assert sent["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ({"affinity": {"nodeAfinity": {}}}, "nodeAfinity"),
        ({"labels": {"stormsight/task": "x"}}, "set by the DAGs"),
        ({"labels": {"app.kubernetes.io/managed-by": "x"}}, "set by the DAGs"),
        ({"labels": {"queue": "a b"}}, "labels.queue"),
        ({"labels": {"a b": "c"}}, "labels"),
        ({"annotations": {"-x": "y"}}, "annotations"),
        ({"image_pull_secrets": ["Registry"]}, "image_pull_secrets"),
    ],
)
def test_what_kubernetes_or_the_dags_would_not_take_is_refused(added: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        settings(**added)


def test_a_small_node_caps_requests_and_memory() -> None:
    made = resources(settings().cluster, Work(("true",), Requirements(cpu=4, memory="16Gi")))
    assert made["requests"]["cpu"] == "500m"
    assert made["limits"]["cpu"] == "4000m"
    assert made["requests"]["memory"] == made["limits"]["memory"] == "8Gi"
    assert quantity(made["limits"]["ephemeral-storage"]) > quantity("20Gi")


def test_no_secret_is_a_plain_variable() -> None:
    with pytest.raises(ParameterError, match="AWS_SECRET_ACCESS_KEY is a plain"):
        environment(settings({"AWS_SECRET_ACCESS_KEY": "x"}), PLAIN)


@pytest.mark.parametrize(
    ("text", "value"),
    [("4Gi", 4 * 2**30), ("500m", 0.5), ("2", 2), ("1.5k", 1500), ("10M", 10_000_000), (" 1Ti ", 2**40)],
)
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "4 Gi", "Gi", "-1", "4Xi"])
def test_a_text_that_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        quantity(text)


LABEL = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)"


@given(st.text(min_size=1, max_size=120))
def test_labels_are_valid_for_any_text(text: str) -> None:
    assert re.fullmatch(LABEL, label_value(text))


@given(st.text(min_size=1, max_size=90), st.text(min_size=1, max_size=90))
def test_different_texts_have_different_labels(one: str, other: str) -> None:
    assert (label_value(one) == label_value(other)) == (one == other)


@given(st.text(min_size=1, max_size=250), st.text(max_size=250), st.integers(0, 999))
def test_pod_names_are_valid_and_steady(task: str, identity: str, number: int) -> None:
    name = pod_name(task, identity, number)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name)
    assert name == pod_name(task, identity, number)
    assert name != pod_name(task, f"{identity}/other", number)


def test_the_operators_arguments() -> None:
    operator = StagePodOperator(task_id="distill", work=TRAIN, settings=settings())
    assert operator.deferrable
    assert not StagePodOperator(task_id="gate", work=SERVICE, settings=settings()).deferrable
    assert operator.durable
    assert not operator.do_xcom_push
    assert not operator.log_pod_spec_on_failure
    assert operator.termination_grace_period == 300
    assert operator.active_deadline_seconds == 2 * 3600 + 1800 + 600
    assert (operator.startup_timeout_seconds, operator.schedule_timeout_seconds) == (1800, 3600)
    # Evicted 2, node_lost 1, source_unavailable 1, deadline 1, and 3 dead workers.
    assert operator.retries == 8
    assert operator.has_retry_policy


def test_a_caller_may_differ() -> None:
    operator = StagePodOperator(
        task_id="gate", work=SERVICE, settings=settings(), active_deadline_seconds=5, retries=0
    )
    assert (operator.active_deadline_seconds, operator.retries) == (5, 0)
