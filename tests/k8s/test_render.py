"""Both overlays render, and their objects fit the schemas of current Kubernetes releases."""

from __future__ import annotations

import kubernetes_validate
import pytest
import yaml

from stormsight_dags.settings.load import load_settings
from tests.k8s.manifests import OVERLAYS, ROOT, called, find, kubectl, rendered, settings

pytestmark = pytest.mark.skipif(
    kubectl() is None, reason="kubectl is not installed: no overlay can be rendered"
)

RELEASES = ("1.31", "1.34", "1.37")


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("release", RELEASES)
def test_objects_fit_the_schema(overlay: str, release: str) -> None:
    for manifest in rendered(overlay):
        assert kubernetes_validate.validate(manifest, release, strict=True) == release, called(manifest)


def test_an_unknown_field_does_not_fit() -> None:
    manifest = find(rendered("cloud"), "Deployment", "stormsight-mlflow")
    manifest["spec"]["template"]["spec"]["serviceAcountName"] = "typo"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, RELEASES[-1], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_reach_airflow_unchanged(overlay: str) -> None:
    """The config map has a fixed name, as the chart's values mount it by name."""
    data = find(rendered(overlay), "ConfigMap", "stormsight-deployment")["data"]
    assert yaml.safe_load(data["deployment.yaml"]) == settings(overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_dags_accept_the_settings(overlay: str) -> None:
    file = ROOT / "k8s/overlays" / overlay / "deployment.yaml"
    accepted = load_settings({"STORMSIGHT_DEPLOYMENT": str(file), "STORMSIGHT_SOURCE": str(ROOT)})
    assert accepted.cluster.namespace == "stormsight"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_name_what_the_overlay_declares(overlay: str) -> None:
    objects, kubernetes = rendered(overlay), settings(overlay)["kubernetes"]
    declared = {
        (m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"])
        for m in objects
        if m["kind"] in {"Namespace", "ServiceAccount", "PriorityClass"}
    }
    space = kubernetes["namespace"]
    wanted = {("Namespace", None, space)}
    wanted |= {("ServiceAccount", space, name) for name in kubernetes["service_accounts"].values()}
    wanted |= {("PriorityClass", None, name) for name in kubernetes["priority_classes"].values()}
    assert wanted <= declared


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_mlflow_runs_the_image_that_the_settings_name(overlay: str) -> None:
    [container] = find(rendered(overlay), "Deployment", "stormsight-mlflow")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"] == settings(overlay)["kubernetes"]["images"]["data"]


def test_cloud_takes_its_own_images_by_digest() -> None:
    images = settings("cloud")["kubernetes"]["images"]
    assert all("@sha256:" in image for image in images.values())
    airflow = yaml.safe_load((ROOT / "k8s/overlays/cloud/airflow.yaml").read_text())
    assert airflow["images"]["airflow"]["digest"].startswith("sha256:")


def test_the_orchestrator_is_bound_in_one_namespace_only() -> None:
    objects = rendered("cloud")
    bindings = [m for m in objects if m["kind"] == "RoleBinding"]
    assert [m["metadata"]["namespace"] for m in bindings] == ["stormsight"]
    [subject] = bindings[0]["subjects"]
    assert subject["namespace"] != "stormsight", "a pod of a stage could borrow the orchestrator's account"


def test_every_service_has_a_budget_for_disruptions() -> None:
    objects = rendered("cloud")
    selectors = [m["spec"]["selector"]["matchLabels"] for m in objects if m["kind"] == "PodDisruptionBudget"]
    for kind in ("Deployment", "StatefulSet"):
        for workload in [m for m in objects if m["kind"] == kind]:
            labels = workload["spec"]["template"]["metadata"]["labels"].items()
            assert any(selector.items() <= labels for selector in selectors), called(workload)
