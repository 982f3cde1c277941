"""Both overlays obey every policy, and every policy notices its violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.k8s import policies
from tests.k8s.manifests import OVERLAYS, Manifest, containers, find, kubectl, rendered, template

pytestmark = pytest.mark.skipif(
    kubectl() is None, reason="kubectl is not installed: no overlay can be rendered"
)

Mutation = Callable[[list[Manifest]], None]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("policy", policies.POLICIES, ids=lambda p: p.__name__)
def test_overlay_obeys(policy: policies.Policy, overlay: str) -> None:
    assert policy(rendered(overlay)) == []


def pod(objects: list[Manifest]) -> Manifest:
    found = template(find(objects, "Deployment", "stormsight-mlflow"))
    assert found is not None
    return found


def on_pod(**fields: Any) -> Mutation:
    return lambda objects: pod(objects)["spec"].update(fields)


def on_container(**fields: Any) -> Mutation:
    return lambda objects: next(containers(pod(objects))).update(fields)


def on_context(**fields: Any) -> Mutation:
    return lambda objects: next(containers(pod(objects)))["securityContext"].update(fields)


def on_pod_context(**fields: Any) -> Mutation:
    return lambda objects: pod(objects)["spec"]["securityContext"].update(fields)


def without(kind: str, name: str) -> Mutation:
    def remove(objects: list[Manifest]) -> None:
        objects[:] = [m for m in objects if (m["kind"], m["metadata"]["name"]) != (kind, name)]

    return remove


def adding(kind: str, name: str = "added", namespace: str = "stormsight", **body: Any) -> Mutation:
    added: Manifest = {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}
    return lambda objects: objects.append(added)


def environment(name: str, value: str) -> Mutation:
    return lambda objects: next(containers(pod(objects)))["env"].append({"name": name, "value": value})


def volume(**source: Any) -> Mutation:
    return lambda objects: pod(objects)["spec"]["volumes"].append({"name": "added", **source})


def init_container(**fields: Any) -> Mutation:
    def add(objects: list[Manifest]) -> None:
        sound = next(containers(pod(objects)))
        pod(objects)["spec"]["initContainers"] = [{**sound, "name": "init", **fields}]

    return add


def rule(resources: list[str], verbs: list[str]) -> Mutation:
    added = {"apiGroups": [""], "resources": resources, "verbs": verbs}
    return lambda objects: find(objects, "Role", "stormsight-orchestrator")["rules"].append(added)


def token_for(account: str) -> Mutation:
    return lambda objects: find(objects, "ServiceAccount", account).update(automountServiceAccountToken=True)


def label(namespace: str, value: str) -> Mutation:
    key = "pod-security.kubernetes.io/enforce"
    return lambda objects: find(objects, "Namespace", namespace)["metadata"]["labels"].update({key: value})


def opened(objects: list[Manifest]) -> None:
    for policy in objects:
        if policy["kind"] == "NetworkPolicy" and policy["metadata"]["name"] == "default-deny":
            policy["spec"]["egress"] = [{}]


def reaching(block: str) -> Mutation:
    to = [{"ipBlock": {"cidr": block, "except": ["169.254.0.0/16"] if ":" not in block else []}}]
    return adding("NetworkPolicy", spec={"egress": [{"to": to, "ports": [{"port": 443}]}]})


LIMITS = {"cpu": "1", "memory": "1Gi"}
VIOLATIONS: list[tuple[policies.Policy, str, Mutation]] = [
    (policies.no_host_access, "hostNetwork", on_pod(hostNetwork=True)),
    (policies.no_host_access, "hostPID", on_pod(hostPID=True)),
    (policies.no_host_access, "hostPath", volume(hostPath={"path": "/"})),
    (policies.no_host_access, "hostPort", on_container(ports=[{"containerPort": 1, "hostPort": 1}])),
    (policies.no_privilege, "privileged", on_context(privileged=True)),
    (policies.no_privilege, "escalation", on_context(allowPrivilegeEscalation=True)),
    (policies.no_privilege, "nothing dropped", on_context(capabilities={})),
    (policies.no_privilege, "added", on_context(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]})),
    (policies.no_privilege, "init container", init_container(securityContext={"privileged": True})),
    (policies.not_root, "unchecked", on_pod_context(runAsNonRoot=None)),
    (policies.not_root, "root", on_pod_context(runAsUser=0)),
    (policies.not_root, "container overrides", on_context(runAsNonRoot=False)),
    (policies.seccomp, "unconfined", on_pod_context(seccompProfile={"type": "Unconfined"})),
    (policies.seccomp, "absent", on_pod_context(seccompProfile=None)),
    (policies.read_only_root, "writable", on_context(readOnlyRootFilesystem=False)),
    (policies.bounded, "no resources", on_container(resources={})),
    (policies.bounded, "no limits", on_container(resources={"requests": LIMITS})),
    (policies.bounded, "no memory", on_container(resources={"requests": LIMITS, "limits": {"cpu": "1"}})),
    (policies.bounded, "boundless scratch", volume(emptyDir={})),
    (policies.pinned_images, "latest", on_container(image="registry.example.com:5000/a:latest")),
    (policies.pinned_images, "untagged", on_container(image="registry.example.com:5000/a")),
    (policies.pinned_images, "init container", init_container(image="busybox")),
    (policies.no_literal_secrets, "environment", environment("PGPASSWORD", "hunter2")),
    (policies.no_literal_secrets, "access key", environment("AWS_SECRET_ACCESS_KEY", "abc")),
    (policies.no_literal_secrets, "URL", environment("STORE", "postgresql://mlflow:hunter2@db/mlflow")),
    (policies.no_literal_secrets, "command line", on_container(args=["--uri=postgresql://a:b@db/c"])),
    (policies.no_literal_secrets, "secret", adding("Secret", stringData={"a": "b"})),
    (policies.no_literal_secrets, "config map", adding("ConfigMap", data={"a": "s3://key:word@host"})),
    (policies.no_needless_token, "account", token_for("stormsight-train")),
    (policies.no_needless_token, "default account", adding("ServiceAccount", "default")),
    (policies.no_needless_token, "pod", on_pod(automountServiceAccountToken=True)),
    (policies.no_broad_rights, "wildcard verb", rule(["pods"], ["*"])),
    (policies.no_broad_rights, "wildcard resource", rule(["*"], ["get"])),
    (policies.no_broad_rights, "secrets", rule(["secrets"], ["get"])),
    (policies.no_broad_rights, "exec", rule(["pods/exec"], ["create"])),
    (policies.no_broad_rights, "escalate", rule(["configmaps"], ["escalate"])),
    (policies.no_broad_rights, "cluster role", adding("ClusterRole", rules=[])),
    (policies.denied_by_default, "removed", without("NetworkPolicy", "default-deny")),
    (policies.denied_by_default, "opened", opened),
    (policies.denied_by_default, "new namespace", adding("Namespace", "elsewhere")),
    (policies.no_open_doors, "node port", adding("Service", spec={"type": "NodePort"})),
    (policies.no_open_doors, "ingress", adding("Ingress", spec={})),
    (
        policies.no_open_doors,
        "any peer",
        adding("NetworkPolicy", spec={"ingress": [{"ports": [{"port": 1}]}]}),
    ),
    (policies.no_open_egress, "anywhere", reaching("0.0.0.0/0")),
    (policies.no_open_egress, "half of anywhere", reaching("128.0.0.0/1")),
    (policies.no_open_egress, "IPv6", reaching("::/0")),
    (policies.restricted_namespaces, "baseline", label("stormsight", "baseline")),
]


@pytest.mark.parametrize(
    ("policy", "what", "mutate"), VIOLATIONS, ids=lambda v: getattr(v, "__name__", str(v))
)
def test_policy_notices(policy: policies.Policy, what: str, mutate: Mutation) -> None:
    objects = rendered("cloud")
    mutate(objects)
    assert policy(objects), what


def test_every_policy_is_tried() -> None:
    assert {policy for policy, _, _ in VIOLATIONS} == set(policies.POLICIES)


def test_the_cloud_opens_nothing_until_addresses_are_filled_in() -> None:
    """As images are zeros: RFC 5737's addresses belong to nobody."""
    blocks = {
        peer["ipBlock"]["cidr"]
        for policy in rendered("cloud")
        if policy["kind"] == "NetworkPolicy"
        for rule in policy["spec"].get("egress") or []
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert blocks
    assert all(block.startswith("192.0.2.") for block in blocks)


def test_one_patch_reaches_every_way_to_the_object_store() -> None:
    opened = {
        (policy["metadata"]["namespace"], str(policy["spec"]["podSelector"].get("matchLabels")))
        for policy in rendered("cloud")
        if policy["metadata"].get("labels", {}).get("stormsight/opens") == "object-store"
    }
    assert len(opened) == 4
