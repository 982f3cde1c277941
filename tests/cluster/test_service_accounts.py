"""A restricted account can do what it must and no more: real calls with its own token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from tests.cluster.environment import IMAGE, Namespace, command, kubectl
from tests.cluster.processes import wait_until

COMPONENTS = ("stormsight-data", "stormsight-train", "stormsight-housekeeping")

MAY = {
    ("pods", frozenset({"create", "get", "list", "patch", "delete"})),
    ("pods/log", frozenset({"get"})),
    ("events", frozenset({"list", "watch"})),
}
"""All that k8s/base/accounts.yaml grants the orchestrator, in the one namespace."""

GIVEN_TO_ALL = {
    "selfsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectrulesreviews.authorization.k8s.io",
}
"""What Kubernetes lets every account do: ask about its own rights."""


@pytest.fixture(scope="module")
def orchestrator(namespace: Namespace) -> client.ApiClient:
    return config.new_client_from_config(config_file=str(namespace.kubeconfig))


@pytest.fixture(scope="module")
def core(orchestrator: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(orchestrator)


@pytest.fixture(scope="module")
def foreign(namespace: Namespace) -> Iterator[str]:
    """Somebody else's namespace, with a pod's worth of things to look at."""
    name = f"{namespace.name}-foreign"
    namespace.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    namespace.cluster.delete_namespace(name)


def manifest(namespace: str, name: str, *words: str, **spec: Any) -> dict[str, Any]:
    context = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "base",
        "image": IMAGE,
        "command": list(words),
        "securityContext": context,
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "stormsight"},
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "stormsight-data",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            **spec,
        },
    }


def test_the_life_of_a_pod_is_allowed(namespace: Namespace, core: client.CoreV1Api) -> None:
    """Every call the pod operator makes, as the orchestrator."""
    space, name = namespace.name, "allowed"
    core.create_namespaced_pod(space, manifest(space, name, "echo", "hello"))
    namespace.wait_pod(name)
    assert core.read_namespaced_pod(name, space).status.phase == "Succeeded"
    assert core.read_namespaced_pod_log(name, space) == "hello\n"
    [found] = core.list_namespaced_pod(space, label_selector="app.kubernetes.io/managed-by=stormsight").items
    assert found.metadata.name == name
    core.patch_namespaced_pod(name, space, {"metadata": {"labels": {"already_checked": "True"}}})
    reasons = {
        e.reason
        for e in core.list_namespaced_event(space, field_selector=f"involvedObject.name={name}").items
    }
    assert "Scheduled" in reasons
    seen = watch.Watch().stream(core.list_namespaced_event, space, timeout_seconds=5)
    assert next(iter(seen))["object"].kind == "Event"
    core.delete_namespaced_pod(name, space)


def ask(namespace: Namespace, *words: str) -> tuple[int, str]:
    """Run kubectl with the orchestrator's token; the exit code and what was said."""
    import subprocess

    done = subprocess.run(
        [kubectl(), "--kubeconfig", str(namespace.kubeconfig), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
