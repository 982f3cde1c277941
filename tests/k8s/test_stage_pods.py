"""The pods that the DAGs create obey the same policies, and the namespace has room and openings for them."""

from __future__ import annotations

import pytest

from components.contract.graph.load import load_graph
from components.contract.rights import DATA_STAGES
from components.contract.work import Work
from stormsight_dags.kubernetes.manifest import pod_template, quantity
from stormsight_dags.settings.load import load_settings
from stormsight_dags.settings.model import Settings
from tests.k8s import policies
from tests.k8s.manifests import OVERLAYS, ROOT, Manifest, find, kubectl, rendered

PROFILE = "change"
"""Profile whose graph has all stages, those that other profiles leave out among them."""


def installation(overlay: str) -> Settings:
    file = ROOT / "k8s/overlays" / overlay / "deployment.yaml"
    return load_settings({"STORMSIGHT_DEPLOYMENT": str(file), "STORMSIGHT_SOURCE": str(ROOT)})


def pods(overlay: str) -> list[Manifest]:
    """The pod of every stage that a profile may have, as the operator sends it."""
    settings = installation(overlay)
    made = []
    for stage in load_graph(ROOT / "dvc.yaml", ROOT / "params.yaml", PROFILE).stages:
        work = Work(
            command=("python", "-m", "components.runs", "stage", stage.address),
            requirements=stage.requirements,
            stage=stage.address,
        )
        pod = pod_template(settings, work, stage.address)
        pod["metadata"] |= {"name": stage.address, "namespace": settings.cluster.namespace}
        made.append(pod)
    return made


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("policy", policies.POD_POLICIES, ids=lambda p: p.__name__)
def test_stage_pods_obey(policy: policies.Policy, overlay: str) -> None:
    assert policy(pods(overlay)) == []


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_quota_holds_the_largest_stage(overlay: str) -> None:
    hard = find(rendered(overlay), "ResourceQuota", "stormsight")["spec"]["hard"]
    for pod in pods(overlay):
        resources = pod["spec"]["containers"][0]["resources"]
        for part, names in (("requests", ("cpu", "memory", "nvidia.com/gpu")), ("limits", ("memory",))):
            for name in names:
                asked = quantity(str(resources[part].get(name, "0")))
                assert asked <= quantity(hard[f"{part}.{name}"]), (pod["metadata"]["name"], part, name)


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_policies_select_stage_pods(overlay: str) -> None:
    selectors = [
        policy["spec"]["podSelector"].get("matchLabels", {})
        for policy in rendered(overlay)
        if policy["kind"] == "NetworkPolicy" and policy["metadata"]["namespace"] == "stormsight"
    ]
    for pod in pods(overlay):
        labels = pod["metadata"]["labels"].items()
        assert all(selector.items() <= labels for selector in selectors)


def selects(selector: Manifest, labels: Manifest) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
def test_mlflow_is_out_of_reach_of_pods_that_read_foreign_rasters() -> None:
    """Both ends say so: what leaves the stages' namespace, and what MLflow lets in."""
    objects = rendered("cloud")
    leaving = find(objects, "NetworkPolicy", "to-mlflow")["spec"]["podSelector"]
    [source] = find(objects, "NetworkPolicy", "mlflow")["spec"]["ingress"][0]["from"]
    reaching = {
        pod["metadata"]["name"]
        for pod in pods("cloud")
        if selects(leaving, pod["metadata"]["labels"])
        and selects(source["podSelector"], pod["metadata"]["labels"])
    }
    stages = {pod["metadata"]["name"] for pod in pods("cloud")}
    off = {"osm"}  # the committed parameters name no task of it
    assert {name.partition("@")[0] for name in stages - reaching} == set(DATA_STAGES) - off
