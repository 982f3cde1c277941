"""The cluster behind KUBECONFIG, if there is one, and the tests' operations on it as its administrator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config

from tests.cluster.processes import LabError, wait_for
from tests.conftest import ROOT

IMAGE = "localhost/stormsight-lab:test"
"""Image with an interpreter alone; the code and its libraries are mounted."""


class NoClusterError(RuntimeError):
    """There is no cluster to test on; the text says why."""


@dataclass(frozen=True)
class Cluster:
    """The cluster, with the rights of its administrator.

    Attributes:
        kubeconfig: The administrator's kubeconfig.
        tools: Folder of the lab cluster's commands (``load``, ``sa-kubeconfig``).
        host: Address under which pods of every node reach servers on this machine.
        core: Client of the core API.
    """

    kubeconfig: Path
    tools: Path
    host: str
    core: client.CoreV1Api

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator and return what it printed.

        Raises:
            LabError: If it fails.
        """
        return command([kubectl(), "--kubeconfig", str(self.kubeconfig), *arguments], stdin=stdin)

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or change objects, given as plain manifests."""
        self.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        )

    def pods(self, namespace: str, selector: str = "") -> list[client.V1Pod]:
        """The pods of a namespace that match a label selector, oldest first."""
        found = self.core.list_namespaced_pod(namespace, label_selector=selector).items
        return sorted(found, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))

    def wait_ready(self, namespace: str, name: str) -> str:
        """Wait for the pod of a service; return its address.

        Raises:
            LabError: If it does not become ready; the text has its events and the end of its log.
        """
        label = f"app.kubernetes.io/name={name}"

        def address() -> str:
            found = self.pods(namespace, label)
            conditions = {c.type: c.status for pod in found for c in pod.status.conditions or ()}
            return str(found[-1].status.pod_ip) if conditions.get("Ready") == "True" else ""

        try:
            return wait_for(f"{name} to be ready", address, timeout_s=420)
        except LabError as error:
            words = ["-n", namespace, "-l", label]
            details = [self.kubectl("describe", "pods", *words), self.kubectl("logs", *words, "--tail=40")]
            raise LabError("\n".join([str(error), *details])) from error

    def evict(self, pod: client.V1Pod) -> None:
        """Evict a pod through the eviction API, as a drain of its node does."""
        name, namespace = pod.metadata.name, pod.metadata.namespace
        # 1.20 knows the eviction API as policy/v1beta1 only, which today's client has no class for.
        body = {"apiVersion": "policy/v1beta1", "kind": "Eviction"}
        body |= {"metadata": {"name": name, "namespace": namespace}}  # type: ignore[dict-item]
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace with everything in it, its pods without grace; this does not wait."""
        try:
            self.core.delete_namespace(name)
        except client.ApiException as error:
            if error.status == 404:
                return
            raise
        self.kubectl("-n", name, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")

    def wait_no_namespace(self, *names: str) -> None:
        """Wait until deleted namespaces are gone."""

        def gone() -> bool:
            return not set(names) & {n.metadata.name for n in self.core.list_namespace().items}

        wait_for(f"namespaces {', '.join(names)} to go", gone, timeout_s=180)


@dataclass(frozen=True)
class Namespace:
    """The namespaces of the tests' own, created by the tests.

    Attributes:
        cluster: Where they are.
        name: Where pods run.
        services: Where the orchestrator's account lives.
        kubeconfig: What the orchestrator may use: the token of its restricted account.
    """

    cluster: Cluster
    name: str
    services: str
    kubeconfig: Path

    def pods(self, selector: str = "") -> list[client.V1Pod]:
        """Its pods that match a label selector, oldest first."""
        return self.cluster.pods(self.name, selector)

    def wait_pod(self, name: str, *, timeout_s: float = 120) -> client.V1Pod:
        """Wait until a pod has ended."""

        def ended() -> client.V1Pod | None:
            pod = self.cluster.core.read_namespaced_pod(name, self.name)
            return pod if pod.status.phase in ("Succeeded", "Failed") else None

        return wait_for(f"the end of pod {name}", ended, timeout_s=timeout_s)


def kubectl() -> str:
    """The kubectl to use: one on the path, else the lab cluster's own."""
    own = Path(os.environ.get("CLUSTER_HOME", "/var/tmp/k8s-lab")) / "bin" / "kubectl"
    found = shutil.which("kubectl") or (str(own) if own.is_file() else None)
    if found is None:
        raise NoClusterError("there is no kubectl on the path")
    return found


def command(arguments: list[str], *, stdin: str | None = None, timeout_s: float = 300) -> str:
    """Run a command of the lab.

    Raises:
        LabError: If it fails; the text is what it printed.
    """
    done = subprocess.run(
        arguments, input=stdin, text=True, capture_output=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        raise LabError(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def find_cluster() -> Cluster:
    """The cluster behind KUBECONFIG.

    Raises:
        NoClusterError: If there is none, it does not answer, or its commands are missing.
    """
    given = os.environ.get("KUBECONFIG")
    if not given:
        raise NoClusterError("KUBECONFIG is not set")
    kubeconfig = Path(given)
    tools = Path(os.environ.get("CLUSTER_TOOLS", ROOT.parent / "shared" / "cluster"))
    if not (tools / "load").is_file():
        raise NoClusterError(f"the lab cluster's commands are not in {tools} (CLUSTER_TOOLS)")
    try:
        core = client.CoreV1Api(config.new_client_from_config(config_file=str(kubeconfig)))
        nodes = core.list_node(_request_timeout=10).items
    except Exception as error:  # whatever a broken file or an absent server raises
        raise NoClusterError(
            f"the cluster of {kubeconfig} does not answer: {type(error).__name__}"
        ) from error
    kubectl()
    return Cluster(kubeconfig, tools, os.environ.get("CLUSTER_HOST") or _host(nodes), core)


def _host(nodes: list[client.V1Node]) -> str:
    """The first node's address: in the lab cluster, nodes are processes of this machine."""
    first = min(nodes, key=lambda node: node.metadata.name)
    return next(str(a.address) for a in first.status.addresses if a.type == "InternalIP")
