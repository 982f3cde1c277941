from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.contract.errors import ParameterError
from stormsight_dags.pods.manifest import (
    Work,
    environment,
    label_value,
    pod_name,
    pod_template,
    quantity,
    resources,
)
from stormsight_dags.pods.operator import StagePodOperator
from tests.dags.pods.trial_settings import settings

GOLDEN = Path(__file__).parent / "golden"

TRAIN: dict[str, Any] = {
    "task_id": "pipeline.distill__disoptnet",
    "stage": "distill@disoptnet",
    "command": ["python", "-m", "components.runs", "stage", "distill@disoptnet", "--run", "{{ run_id }}"],
    "image": "train",
    "cpu": 4,
    "memory": "16Gi",
    "gpu": 1,
    "retry": "train",
}
SERVICE: dict[str, Any] = {
    "task_id": "gate",
    "command": ["python", "-m", "components.runs", "gate", "--run", "{{ run_id }}"],
    "image": "data",
    "memory": "512Mi",
    "retry": "gate",
}


@pytest.mark.parametrize(("name", "arguments"), [("train", TRAIN), ("service", SERVICE)])
def test_the_pod_is_the_golden_one(
    name: str, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """To renew a file after a wanted change: copy the one that the failure names."""
    StagePodOperator(**arguments, settings=settings()).dry_run()
    printed = capsys.readouterr().out
    made = yaml.safe_load(printed[printed.index("api_version: v1") :])
    assert made["metadata"]["labels"].pop("airflow_version")
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(made, sort_keys=True))
    assert made == yaml.safe_load((GOLDEN / f"{name}.yaml").read_text()), tmp_path / f"{name}.yaml"


def test_only_gpu_stages_get_a_gpus_surroundings() -> None:
    spec = pod_template(settings(), Work(("true",), "data"), "plan")["spec"]
    assert not {"nodeSelector", "tolerations", "runtimeClassName"} & set(spec)
    assert "shm" not in {volume["name"] for volume in spec["volumes"]}


def test_without_priority_classes_none_is_named() -> None:
    spec = pod_template(settings(priority_classes=None), Work(("true",), "data"), "plan")["spec"]
    assert "priorityClassName" not in spec


def test_a_small_node_caps_requests_and_memory() -> None:
    made = resources(settings().cluster, Work(("true",), "data", cpu=4, memory="16Gi"))
    assert made["requests"]["cpu"] == "500m"
    assert made["limits"]["cpu"] == "4000m"
    assert made["requests"]["memory"] == made["limits"]["memory"] == "8Gi"
    assert quantity(made["limits"]["ephemeral-storage"]) > quantity("20Gi")


def test_no_secret_is_a_plain_variable() -> None:
    with pytest.raises(ParameterError, match="AWS_SECRET_ACCESS_KEY is a plain"):
        environment(settings({"AWS_SECRET_ACCESS_KEY": "x"}), Work(("true",), "data"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("4Gi", 4 * 2**30), ("500m", 0.5), ("2", 2), ("1.5k", 1500), ("10M", 10_000_000), (" 1Ti ", 2**40)],
)
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "4 Gi", "Gi", "-1", "4Xi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ParameterError):
        quantity(text)


LABEL = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)"


@given(st.text(min_size=1, max_size=120))
def test_labels_are_valid_for_any_text(text: str) -> None:
    assert re.fullmatch(LABEL, label_value(text))


@given(st.text(min_size=1, max_size=90), st.text(min_size=1, max_size=90))
def test_different_texts_have_different_labels(one: str, other: str) -> None:
    assert (label_value(one) == label_value(other)) == (one == other)


@given(st.text(min_size=1, max_size=250), st.lists(st.text(max_size=250), max_size=4), st.integers(0, 999))
def test_pod_names_are_valid_and_steady(task: str, key: list[str], number: int) -> None:
    name = pod_name(task, key, number)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name)
    assert name == pod_name(task, key, number)
    assert name != pod_name(task, [*key, "other"], number)


def test_what_the_operator_is_told() -> None:
    operator = StagePodOperator(**TRAIN, settings=settings())
    assert operator.deferrable
    assert not StagePodOperator(**SERVICE, settings=settings()).deferrable
    assert operator.durable
    assert not operator.do_xcom_push
    assert not operator.log_pod_spec_on_failure
    assert operator.termination_grace_period == 300
    assert operator.active_deadline_seconds == 2 * 3600
    assert (operator.startup_timeout_seconds, operator.schedule_timeout_seconds) == (1800, 3600)
    # Evicted 2, node_lost 1, source_unavailable 1, deadline 1, and 3 dead workers.
    assert operator.retries == 8
    assert operator.has_retry_policy


def test_a_caller_may_differ() -> None:
    operator = StagePodOperator(**SERVICE, settings=settings(), active_deadline_seconds=5, retries=0)
    assert (operator.active_deadline_seconds, operator.retries) == (5, 0)
