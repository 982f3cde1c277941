"""Policies for manifests: each takes all objects and returns one line per violation.

Pod rules are those of the Pod Security standard "restricted" plus a read-only root, resources on every
container and pinned images. They hold for pods and for every workload's pod template.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from components.contract.redaction import names_a_secret
from tests.k8s.manifests import Manifest, called, containers, template

SAFE_VOLUMES = {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "persistentVolumeClaim", "csi"}
PATH_LIKE = re.compile(r"^/[\w./-]+$")
URL_WITH_PASSWORD = re.compile(r"\w+://[^/\s:@]+:[^/\s@]+@")
WIDEST_BLOCK = {4: 16, 6: 32}
"""Bits of an address that an opened block must fix; the blocks that AWS names for S3 fix more."""
MAY_HOLD_A_TOKEN = {"stormsight-orchestrator"}

Policy = Callable[[list[Manifest]], list[str]]


def _pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for manifest in objects:
        pod = template(manifest)
        if pod is not None:
            yield called(manifest), pod


def _containers(objects: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    for name, pod in _pods(objects):
        for container in containers(pod):
            yield f"{name} container {container['name']}", container, pod


def no_host_access(objects: list[Manifest]) -> list[str]:
    """No namespace, port, path or device of the node."""
    found = []
    for name, pod in _pods(objects):
        spec = pod["spec"]
        found += [f"{name}: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
        for volume in spec.get("volumes") or []:
            kinds = set(volume) - {"name"}
            found += [f"{name}: volume of kind {kind}" for kind in sorted(kinds - SAFE_VOLUMES)]
    for name, container, _ in _containers(objects):
        found += [f"{name}: hostPort" for port in container.get("ports") or [] if port.get("hostPort")]
        found += [f"{name}: volumeDevices"] if container.get("volumeDevices") else []
    return found


def no_privilege(objects: list[Manifest]) -> list[str]:
    """Not privileged, no escalation, every capability dropped and none added."""
    found = []
    for name, container, _ in _containers(objects):
        context = container.get("securityContext") or {}
        capabilities = context.get("capabilities") or {}
        if context.get("privileged"):
            found.append(f"{name}: privileged")
        if context.get("allowPrivilegeEscalation") is not False:
            found.append(f"{name}: allowPrivilegeEscalation is not false")
        if "ALL" not in (capabilities.get("drop") or []):
            found.append(f"{name}: capabilities are not dropped")
        if capabilities.get("add"):
            found.append(f"{name}: capabilities added: {capabilities['add']}")
        if context.get("procMount", "Default") != "Default":
            found.append(f"{name}: procMount")
    return found


def not_root(objects: list[Manifest]) -> list[str]:
    """Neither the pod's user nor a container's is root, and the kubelet checks it."""
    found = []
    for name, container, pod in _containers(objects):
        merged = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        if merged.get("runAsNonRoot") is not True:
            found.append(f"{name}: runAsNonRoot is not true")
        if merged.get("runAsUser") == 0:
            found.append(f"{name}: runAsUser is 0")
    return found


def seccomp(objects: list[Manifest]) -> list[str]:
    """The runtime's system call filter is on."""
    found = []
    for name, container, pod in _containers(objects):
        merged = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        if (merged.get("seccompProfile") or {}).get("type") not in {"RuntimeDefault", "Localhost"}:
            found.append(f"{name}: no seccomp profile")
    return found


def read_only_root(objects: list[Manifest]) -> list[str]:
    """Programs cannot change their own image."""
    return [
        f"{name}: readOnlyRootFilesystem is not true"
        for name, container, _ in _containers(objects)
        if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True
    ]


def bounded(objects: list[Manifest]) -> list[str]:
    """Every container asks for and is limited to some CPU and memory; every emptyDir has a size."""
    found = []
    for name, container, _ in _containers(objects):
        resources = container.get("resources") or {}
        for part in ("requests", "limits"):
            missing = {"cpu", "memory"} - set(resources.get(part) or {})
            found += [f"{name}: no {kind} in {part}" for kind in sorted(missing)]
    for name, pod in _pods(objects):
        for volume in pod["spec"].get("volumes") or []:
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                found.append(f"{name}: emptyDir {volume['name']} has no sizeLimit")
    return found


def pinned_images(objects: list[Manifest]) -> list[str]:
    """Every image has a tag or a digest, and the tag is not ``latest``."""
    found = []
    for name, container, _ in _containers(objects):
        image = container.get("image") or ""
        reference, _, digest = image.partition("@")
        last = reference.rsplit("/", 1)[-1]
        tag = last.partition(":")[2]
        if tag == "latest" or not (tag or re.fullmatch(r"sha256:[0-9a-f]{64}", digest)):
            found.append(f"{name}: image {image!r} is not pinned")
    return found


def no_literal_secrets(objects: list[Manifest]) -> list[str]:
    """Secrets are named, never written: no Secret with data, no secret variable, no password in a URL."""
    found = []
    for manifest in objects:
        data = {**(manifest.get("data") or {}), **(manifest.get("stringData") or {})}
        if manifest["kind"] == "Secret" and data:
            found.append(f"{called(manifest)}: holds data")
        found += [f"{called(manifest)}: {key}" for key, text in data.items() if _has_password(text)]
    for name, container, _ in _containers(objects):
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        found += [f"{name}: command line" for word in words if _has_password(word)]
        found += [f"{name}: {v['name']}" for v in container.get("env") or [] if _is_written_out(v)]
    return found


def _has_password(text: str) -> bool:
    return bool(URL_WITH_PASSWORD.search(text))


def _is_written_out(variable: Manifest) -> bool:
    """Return ``True`` if an environment variable holds a secret itself: a path or a switch is none."""
    value = str(variable.get("value") or "")
    harmless = not value or PATH_LIKE.fullmatch(value) or value.lower() in {"true", "false"}
    return _has_password(value) or bool(names_a_secret(variable["name"]) and not harmless)


def no_needless_token(objects: list[Manifest]) -> list[str]:
    """Only the orchestrator's account is given a token; a pod without a named account says so itself."""
    found = []
    for manifest in objects:
        trusted = manifest["kind"] != "ServiceAccount" or manifest["metadata"]["name"] in MAY_HOLD_A_TOKEN
        if not trusted and manifest.get("automountServiceAccountToken") is not False:
            found.append(f"{called(manifest)}: mounts a token")
    for name, pod in _pods(objects):
        account = pod["spec"].get("serviceAccountName", "default")
        if account not in MAY_HOLD_A_TOKEN and pod["spec"].get("automountServiceAccountToken") is not False:
            found.append(f"{name}: mounts a token")
    return found


def no_broad_rights(objects: list[Manifest]) -> list[str]:
    """No wildcard, no cluster-wide role, nothing that opens secrets, other accounts or running pods."""
    found = []
    forbidden = {"secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"}
    forbidden |= {"serviceaccounts", "serviceaccounts/token", "roles", "rolebindings", "nodes"}
    for manifest in objects:
        if manifest["kind"] in {"ClusterRole", "ClusterRoleBinding"}:
            found.append(f"{called(manifest)}: cluster-wide")
        if manifest["kind"] not in {"Role", "ClusterRole"}:
            continue
        for rule in manifest.get("rules") or []:
            said = {*rule.get("apiGroups", ()), *rule.get("resources", ()), *rule.get("verbs", ())}
            found += [f"{called(manifest)}: wildcard"] if any("*" in word for word in said) else []
            found += [f"{called(manifest)}: {r}" for r in sorted(forbidden & set(rule.get("resources", ())))]
            found += [f"{called(manifest)}: {v}" for v in sorted({"bind", "escalate", "impersonate"} & said)]
    return found


def denied_by_default(objects: list[Manifest]) -> list[str]:
    """Every namespace, so every pod, is under a policy that denies both directions by default."""
    closed = {
        m["metadata"]["namespace"]
        for m in objects
        if m["kind"] == "NetworkPolicy"
        and m["spec"].get("podSelector") == {}
        and {"Ingress", "Egress"} <= set(m["spec"].get("policyTypes") or ())
        and not m["spec"].get("ingress")
        and not m["spec"].get("egress")
    }
    spaces = {m["metadata"]["name"] for m in objects if m["kind"] == "Namespace"}
    spaces |= {pod["metadata"]["namespace"] for _, pod in _pods(objects) if pod["metadata"].get("namespace")}
    return [f"namespace {space}: no default-deny policy" for space in sorted(spaces - closed)]


def no_open_doors(objects: list[Manifest]) -> list[str]:
    """Nothing is published outside the cluster, and no policy lets any peer in or out unfiltered."""
    found = []
    for manifest in objects:
        if manifest["kind"] == "Service" and manifest["spec"].get("type", "ClusterIP") != "ClusterIP":
            found.append(f"{called(manifest)}: type {manifest['spec']['type']}")
        if manifest["kind"] in {"Ingress", "Gateway", "HTTPRoute"}:
            found.append(f"{called(manifest)}: publishes a service")
        if manifest["kind"] == "NetworkPolicy":
            for key, side in (("ingress", "from"), ("egress", "to")):
                rules = manifest["spec"].get(key) or []
                open_rules = [rule for rule in rules if not rule.get(side) or not rule.get("ports")]
                found += [f"{called(manifest)}: {key} without peers or ports" for _ in open_rules]
    return found


def no_open_egress(objects: list[Manifest]) -> list[str]:
    """Addresses outside of the cluster are named: no block is as wide as a country's worth of hosts."""
    found = []
    for manifest in objects:
        if manifest["kind"] != "NetworkPolicy":
            continue
        for rule in manifest["spec"].get("egress") or []:
            for block in [peer["ipBlock"]["cidr"] for peer in rule.get("to") or [] if "ipBlock" in peer]:
                network = ipaddress.ip_network(block)
                if network.prefixlen < WIDEST_BLOCK[network.version]:
                    found.append(f"{called(manifest)}: egress to {block}")
    return found


def restricted_namespaces(objects: list[Manifest]) -> list[str]:
    """The API server holds every namespace to the restricted standard."""
    label = "pod-security.kubernetes.io/enforce"
    return [
        f"{called(m)}: pod security is not restricted"
        for m in objects
        if m["kind"] == "Namespace" and (m["metadata"].get("labels") or {}).get(label) != "restricted"
    ]


POD_POLICIES: tuple[Policy, ...] = (
    no_host_access,
    no_privilege,
    not_root,
    seccomp,
    read_only_root,
    bounded,
    pinned_images,
    no_literal_secrets,
    no_needless_token,
)
POLICIES: tuple[Policy, ...] = (
    *POD_POLICIES,
    no_broad_rights,
    denied_by_default,
    no_open_doors,
    no_open_egress,
    restricted_namespaces,
)
