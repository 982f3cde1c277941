"""A restricted account can do what it must and no more: real calls with its own token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from tests.cluster.environment import IMAGE, Namespace, command

COMPONENTS = ("stormsight-data", "stormsight-train", "stormsight-map", "stormsight-housekeeping")

MAY = {
    ("pods", "create"),
    ("pods", "get"),
    ("pods", "list"),
    ("pods", "patch"),
    ("pods", "delete"),
    ("pods/log", "get"),
    ("events", "list"),
    ("events", "watch"),
}
"""All that k8s/base/accounts.yaml grants the orchestrator, in the one namespace."""

GIVEN_TO_ALL = {
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
}
"""Resources by which every account may ask about itself."""

OWN, SERVICES, FOREIGN = "/namespaces/{own}", "/namespaces/{services}", "/namespaces/{foreign}"
RBAC, APPS = "/apis/rbac.authorization.k8s.io/v1", "/apis/apps/v1"

FORBIDDEN = [
    # Secrets and settings, also of its own pods.
    ("GET", f"/api/v1{OWN}/secrets"),
    ("GET", f"/api/v1{OWN}/secrets/stormsight-s3-data"),
    ("GET", f"/api/v1{OWN}/configmaps"),
    ("POST", f"/api/v1{OWN}/configmaps"),
    # Into running pods, or around the scheduler.
    ("GET", f"/api/v1{OWN}/pods/any/exec?command=id"),
    ("POST", f"/api/v1{OWN}/pods/any/exec?command=id"),
    ("POST", f"/api/v1{OWN}/pods/any/attach"),
    ("POST", f"/api/v1{OWN}/pods/any/portforward"),
    ("GET", f"/api/v1{OWN}/pods/any/proxy/"),
    ("POST", f"/api/v1{OWN}/pods/any/eviction"),
    ("POST", f"/api/v1{OWN}/pods/any/binding"),
    ("PUT", f"/api/v1{OWN}/pods/any"),
    ("PATCH", f"/api/v1{OWN}/pods/any/status"),
    ("DELETE", f"/api/v1{OWN}/pods"),
    ("GET", f"/api/v1{OWN}/pods?watch=true"),
    ("POST", f"/api/v1{OWN}/events"),
    # Other ways to run something, or to become somebody.
    ("POST", f"{APPS}{OWN}/deployments"),
    ("POST", f"{APPS}{OWN}/daemonsets"),
    ("POST", f"/apis/batch/v1{OWN}/jobs"),
    ("POST", f"/api/v1{OWN}/services"),
    ("POST", f"/api/v1{OWN}/persistentvolumeclaims"),
    ("POST", f"/api/v1{OWN}/serviceaccounts"),
    ("POST", f"/api/v1{OWN}/serviceaccounts/stormsight-train/token"),
    ("GET", f"{RBAC}{OWN}/roles"),
    ("POST", f"{RBAC}{OWN}/roles"),
    ("POST", f"{RBAC}{OWN}/rolebindings"),
    # The fences of its namespace.
    ("DELETE", f"/api/v1{OWN}/resourcequotas/stormsight"),
    ("DELETE", f"/api/v1{OWN}/limitranges/stormsight"),
    ("DELETE", f"/apis/networking.k8s.io/v1{OWN}/networkpolicies/default-deny"),
    # The namespace where it lives itself, and everybody else's.
    ("GET", f"/api/v1{SERVICES}/pods"),
    ("POST", f"/api/v1{SERVICES}/pods"),
    ("GET", f"/api/v1{SERVICES}/secrets"),
    ("GET", f"/api/v1{SERVICES}/events"),
    ("GET", f"/api/v1{FOREIGN}/pods"),
    ("POST", f"/api/v1{FOREIGN}/pods"),
    ("GET", f"/api/v1{FOREIGN}/pods/any/log"),
    ("GET", "/api/v1/namespaces/kube-system/secrets"),
    # The cluster.
    ("GET", "/api/v1/pods"),
    ("GET", "/api/v1/secrets"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/nodes"),
    ("GET", "/api/v1/nodes/lab/proxy/pods"),
    ("GET", "/api/v1/namespaces"),
    ("POST", "/api/v1/namespaces"),
    ("DELETE", f"/api/v1{OWN}"),
    ("POST", "/api/v1/persistentvolumes"),
    ("GET", f"{RBAC}/clusterroles"),
    ("POST", f"{RBAC}/clusterroles"),
    ("POST", f"{RBAC}/clusterrolebindings"),
    ("POST", "/apis/scheduling.k8s.io/v1/priorityclasses"),
    ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
    ("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def orchestrator(namespace: Namespace) -> client.ApiClient:
    return config.new_client_from_config(config_file=str(namespace.kubeconfig))


@pytest.fixture(scope="module")
def core(orchestrator: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(orchestrator)


@pytest.fixture(scope="module")
def names(namespace: Namespace) -> Iterator[dict[str, str]]:
    """The namespaces by their part: the pods', the orchestrator's own, somebody else's."""
    foreign = f"{namespace.name}-foreign"
    namespace.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": foreign}})
    yield {"own": namespace.name, "services": namespace.services, "foreign": foreign}
    namespace.cluster.delete_namespace(foreign)


def pod(namespace: str, name: str, *words: str, **spec: Any) -> dict[str, Any]:
    """A pod as the operator makes them, small."""
    container = {
        "name": "base",
        "image": IMAGE,
        "command": list(words),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
    }
    own = {
        "restartPolicy": "Never",
        "serviceAccountName": "stormsight-data",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "stormsight"},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**own, **spec}}


def call(api: client.ApiClient, method: str, path: str, **headers: str) -> int:
    """The status code of a raw call; a body that says nothing, as rights are checked before it is read."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    body: dict[str, Any] | None = None if method in {"GET", "DELETE"} else {}
    try:
        api.call_api(
            path,
            method,
            header_params={"Content-Type": kind, **headers},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=20,
        )
    except client.ApiException as error:
        return int(error.status)
    return 200


def log(core: client.CoreV1Api, namespace: Namespace, name: str) -> str:
    """A pod's log. Preloaded, this client returns the text of a bytes literal."""
    answer = core.read_namespaced_pod_log(name, namespace.name, _preload_content=False)
    return str(answer.data.decode())


def rights(api: client.ApiClient, namespace: str) -> set[tuple[str, str]]:
    """Everything the account may do in a namespace, by what the API server says, but for what all may."""
    review = client.V1SelfSubjectRulesReview(spec=client.V1SelfSubjectRulesReviewSpec(namespace=namespace))
    answer = client.AuthorizationV1Api(api).create_self_subject_rules_review(review)
    return {
        (resource, verb)
        for rule in answer.status.resource_rules
        for resource in rule.resources or ()
        for verb in rule.verbs
        if resource not in GIVEN_TO_ALL
    }


def test_the_life_of_a_pod_is_allowed(namespace: Namespace, core: client.CoreV1Api) -> None:
    """Every call that the pod operator makes."""
    space, name = namespace.name, "allowed"
    core.create_namespaced_pod(space, pod(space, name, "echo", "hello"))
    namespace.wait_pod(name)
    assert core.read_namespaced_pod(name, space).status.phase == "Succeeded"
    assert log(core, namespace, name) == "hello\n"
    selector = "app.kubernetes.io/managed-by=stormsight"
    assert name in {p.metadata.name for p in core.list_namespaced_pod(space, label_selector=selector).items}
    core.patch_namespaced_pod(name, space, {"metadata": {"labels": {"already_checked": "True"}}})
    events = core.list_namespaced_event(space, field_selector=f"involvedObject.name={name}").items
    assert "Scheduled" in {event.reason for event in events}
    seen = watch.Watch().stream(core.list_namespaced_event, space, timeout_seconds=10)
    assert next(iter(seen))["object"].kind == "Event"
    core.delete_namespaced_pod(name, space)


@pytest.mark.parametrize(("method", "path"), FORBIDDEN)
def test_nothing_else_is_allowed(
    orchestrator: client.ApiClient, names: dict[str, str], method: str, path: str
) -> None:
    assert call(orchestrator, method, path.format(**names)) == 403


def test_it_cannot_act_as_the_administrator(orchestrator: client.ApiClient, names: dict[str, str]) -> None:
    path = f"/api/v1{OWN}/pods".format(**names)
    assert call(orchestrator, "GET", path) == 200
    assert call(orchestrator, "GET", path, **{"Impersonate-User": "admin"}) == 403


def test_its_rights_are_exactly_those_written_down(
    orchestrator: client.ApiClient, names: dict[str, str]
) -> None:
    assert rights(orchestrator, names["own"]) == MAY
    assert rights(orchestrator, names["services"]) == set()
    assert rights(orchestrator, names["foreign"]) == set()


def test_a_pod_cannot_borrow_the_orchestrators_account(namespace: Namespace, core: client.CoreV1Api) -> None:
    """The account lives in the other namespace, so no pod of a stage can run as it."""
    borrowing = pod(namespace.name, "borrowing", "true", serviceAccountName="stormsight-orchestrator")
    with pytest.raises(client.ApiException) as refused:
        core.create_namespaced_pod(namespace.name, borrowing)
    assert refused.value.status == 403
    assert "not found" in refused.value.body


def test_the_quota_bounds_it(namespace: Namespace, core: client.CoreV1Api) -> None:
    greedy = pod(namespace.name, "greedy", "true")
    greedy["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "1000", "memory": "1Mi"},
        "limits": {"cpu": "1000", "memory": "1Mi"},
    }
    with pytest.raises(client.ApiException) as refused:
        core.create_namespaced_pod(namespace.name, greedy)
    assert refused.value.status == 403
    assert "exceeded quota" in refused.value.body


@pytest.mark.parametrize("account", COMPONENTS)
def test_a_component_has_no_rights(namespace: Namespace, tmp_path: Path, account: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(command([str(namespace.cluster.tools / "sa-kubeconfig"), namespace.name, account]))
    api = config.new_client_from_config(config_file=str(kubeconfig))
    assert rights(api, namespace.name) == set()
    assert call(api, "GET", f"/api/v1/namespaces/{namespace.name}/pods") == 403


def test_a_component_is_given_no_token(namespace: Namespace, core: client.CoreV1Api) -> None:
    """The pod says nothing about tokens here: the account itself withholds it."""
    name = "tokenless"
    look = "test ! -e /var/run/secrets/kubernetes.io/serviceaccount && echo none"
    core.create_namespaced_pod(namespace.name, pod(namespace.name, name, "sh", "-c", look))
    namespace.wait_pod(name)
    assert log(core, namespace, name) == "none\n"
    core.delete_namespaced_pod(name, namespace.name)
