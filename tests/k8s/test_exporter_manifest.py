"""The exporter's manifest obeys every policy, fits the schemas, and starts what the service answers."""

from __future__ import annotations

from itertools import chain

import kubernetes_validate
import pytest
import yaml

from components.contract.rights import RIGHTS
from components.exporter.__main__ import PORT, parser
from tests.k8s import policies
from tests.k8s.manifests import (
    OVERLAYS,
    ROOT,
    Manifest,
    called,
    containers,
    find,
    kubectl,
    rendered,
    settings,
    template,
)

FILE = ROOT / "k8s/monitoring/exporter.yaml"
PINNED = {"stormsight-data": "registry.example.com/stormsight-data@sha256:" + "0" * 64}
"""Images as an overlay names them."""


@pytest.fixture
def objects() -> list[Manifest]:
    """Objects of the manifest, images as an overlay pins them."""
    found = [document for document in yaml.safe_load_all(FILE.read_text()) if document]
    for pod in filter(None, map(template, found)):
        for container in containers(pod):
            container["image"] = PINNED[container["image"]]
    return found


def base() -> list[Manifest]:
    """Objects that every installation has."""
    files = ("namespaces", "network", "accounts")
    texts = [(ROOT / f"k8s/base/{name}.yaml").read_text() for name in files]
    return [document for document in chain(*map(yaml.safe_load_all, texts)) if document]


@pytest.mark.parametrize("policy", policies.POLICIES, ids=lambda policy: policy.__name__)
def test_it_obeys(policy: policies.Policy, objects: list[Manifest]) -> None:
    assert policy([*base(), *objects]) == []


def test_objects_fit_the_schemas(objects: list[Manifest]) -> None:
    for manifest in objects:
        assert kubernetes_validate.validate(manifest, "1.34", strict=True), called(manifest)
        assert manifest["metadata"]["namespace"] == "stormsight-services"


def test_the_command_is_one_that_the_service_understands(objects: list[Manifest]) -> None:
    container = exporter(objects)
    assert container["command"][:3] == ["python", "-m", "components.exporter"]
    options = parser().parse_args(container["command"][3:])
    (port,) = container["ports"]
    (service,) = find(objects, "Service", "stormsight-exporter")["spec"]["ports"]
    assert options.port == port["containerPort"] == service["port"] == PORT
    assert not options.once
    probes = {container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"/readyz", "/healthz"}
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "an old reading is no reason to die"


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_its_places_are_those_of_the_installation(overlay: str) -> None:
    container, said = exporter(rendered(overlay)), settings(overlay)
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["STORMSIGHT_OBJECTS"] == said["objects"]
    assert told["STORMSIGHT_LANDING"] == said["landing"]
    assert told["STORMSIGHT_PROFILE"] == said["profile"]
    assert told["AWS_DEFAULT_REGION"] == said["environment"]["AWS_DEFAULT_REGION"]
    assert container["image"] == said["kubernetes"]["images"]["data"]


def test_its_account_can_only_read() -> None:
    assert {verb for grant in RIGHTS["exporter"] for verb in grant.verbs} == {"list", "read"}
    readable = {grant.keys for grant in RIGHTS["exporter"] if "read" in grant.verbs}
    assert "*" not in readable
    assert {grant.store for grant in RIGHTS["exporter"] if "read" in grant.verbs} == {"objects"}


def exporter(objects: list[Manifest]) -> Manifest:
    """Return the container of the exporter."""
    pod = template(find(objects, "Deployment", "stormsight-exporter"))
    assert pod is not None
    (container,) = containers(pod)
    return container
