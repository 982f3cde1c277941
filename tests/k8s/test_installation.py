"""A second installation shares no name with the first that a cluster has once."""

from __future__ import annotations

import runpy
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.k8s import policies
from tests.k8s.manifests import ROOT, Manifest, called, find, kubectl, rendered, rendered_text, template

pytestmark = pytest.mark.skipif(
    kubectl() is None, reason="kubectl is not installed: no overlay can be rendered"
)

PROGRAM = ROOT / "k8s/installation.py"
RENAMED: Any = runpy.run_path(str(PROGRAM))["renamed"]


@pytest.fixture(scope="module")
def second() -> list[Manifest]:
    return [RENAMED(document, "acme") for document in rendered("cloud")]


def identity(manifest: Manifest) -> tuple[str, str | None, str]:
    return manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"]


def test_no_object_is_the_other_installations(second: list[Manifest]) -> None:
    assert not {identity(m) for m in second} & {identity(m) for m in rendered("cloud")}
    clusterwide = {m["kind"] for m in second if "namespace" not in m["metadata"]}
    assert clusterwide == {"Namespace", "PriorityClass"}


def test_nothing_refers_to_the_other_installation(second: list[Manifest]) -> None:
    spaces = {m["metadata"]["name"] for m in second if m["kind"] == "Namespace"}
    classes = {m["metadata"]["name"] for m in second if m["kind"] == "PriorityClass"}
    assert spaces == {"acme", "acme-services"}
    for manifest in second:
        assert manifest["metadata"].get("namespace", "acme") in spaces, called(manifest)
        pod = template(manifest)
        if pod is not None:
            assert pod["spec"]["priorityClassName"] in classes
    text = yaml.safe_dump_all(second)
    assert ".stormsight-services" not in text
    assert "namespace: stormsight" not in text
    assert "kubernetes.io/metadata.name: stormsight" not in text


def test_the_settings_of_its_dags_are_its_own(second: list[Manifest]) -> None:
    data = find(second, "ConfigMap", "stormsight-deployment")["data"]["deployment.yaml"]
    settings = yaml.safe_load(data)
    assert settings["kubernetes"]["namespace"] == "acme"
    assert settings["kubernetes"]["priority_classes"] == {"data": "acme-data", "train": "acme-train"}
    assert settings["environment"]["MLFLOW_TRACKING_URI"] == "http://stormsight-mlflow.acme-services:5000"


@pytest.mark.parametrize("policy", policies.POLICIES, ids=lambda p: p.__name__)
def test_it_obeys_the_policies(policy: policies.Policy, second: list[Manifest]) -> None:
    assert policy(second) == []


def test_its_own_name_changes_nothing() -> None:
    before = rendered("cloud")
    after = [RENAMED(document, "stormsight") for document in rendered("cloud")]
    for one, other in zip(before, after, strict=True):
        if one["kind"] != "ConfigMap":
            assert one == other


def test_the_filter_works_on_streams_and_on_the_charts_values() -> None:
    def filtered(text: str, name: str = "acme") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROGRAM), name], input=text, capture_output=True, text=True, check=False
        )

    assert len(list(yaml.safe_load_all(filtered(rendered_text("cloud")).stdout))) == len(rendered("cloud"))
    values = yaml.safe_load(filtered((ROOT / "k8s/airflow/values.yaml").read_text()).stdout)
    assert values["scheduler"]["priorityClassName"] == "acme-services"
    assert values["data"]["metadataSecretName"] == "stormsight-airflow"
    assert filtered("", "Acme").returncode == 2
