"""Additions of the lab to the deployment: the code mounted into pods, a namespace, the settings file."""

from __future__ import annotations

import compileall
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.endpoints import CREDENTIALS, S3, Endpoint
from tests.cluster.environment import IMAGE, Cluster, Namespace, NoClusterError, command
from tests.conftest import ROOT
from tests.k8s.manifests import containers
from tests.mlflow_server import credentials

BUCKET = "stormsight"
LANDING_BUCKET = "stormsight-landing"
ORCHESTRATOR = "stormsight-orchestrator"
SECRETS = {
    "data": ["stormsight-s3-data"],
    "train": ["stormsight-s3-train", "stormsight-mlflow-train"],
    "map": ["stormsight-s3-map", "stormsight-mlflow-map"],
    "ledger": ["stormsight-s3-ledger", "stormsight-mlflow-ledger"],
    "housekeeping": ["stormsight-s3-housekeeping"],
}
"""Names of the Secrets that a pod's variables come from, by account."""

MLFLOW = {"map": "reader"}
"""MLflow's account of a pod's account, where it has another name."""

APPLIED = (
    "Namespace",
    "PriorityClass",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
)
"""Kinds of objects that the lab takes from its overlay: the servers run on this machine instead."""

GPU = {
    "resource": "nvidia.com/gpu",
    "node_selector": {"accelerator": "fake"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "runtime_class": None,
}
"""Placement of pods on the lab's second node, whose GPU is simulated."""


def snapshot(folder: Path) -> Path:
    """Copy the files git knows or would know, readable by a pod's user whatever the umask, with byte code.

    An image is built with byte code, and its user cannot write any: without it, each of the three processes
    of a stage would compile every module of ours that it imports.
    """
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for name in ("components", "dags"):
        compileall.compile_dir(folder / name, quiet=2)  # 2: whoever imports it says what does not compile
    open_to_pods(folder)
    return folder


def site_packages() -> Path:
    """Return the folder of libraries that pods mount.

    Raises:
        NoClusterError: If this Python is not the lab image's.
    """
    if sys.version_info[:2] != (3, 11):
        raise NoClusterError("pods run Debian's Python 3.11, the environment another one")
    return Path(sysconfig.get_paths()["purelib"]).resolve()


def open_to_pods(folder: Path) -> None:
    """Let everybody read below ``folder``: a pod's user is not this one, and a umask may be private."""
    for parent, folders, files in os.walk(folder):
        for path in [parent, *(f"{parent}/{name}" for name in folders + files)]:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                continue
            wanted = mode | 0o444 | (0o111 if stat.S_ISDIR(mode) or mode & 0o100 else 0)
            if wanted != mode:
                Path(path).chmod(stat.S_IMODE(wanted))


def build_image(cluster: Cluster) -> None:
    """Build the lab image and load it into the nodes; both do nothing when it is there already."""
    command([str(ROOT / "k8s" / "images" / "lab" / "build"), str(cluster.tools)], timeout_s=600)


def make_namespace(cluster: Cluster, name: str, folder: Path) -> Namespace:
    """Create namespaces with the lab overlay's accounts, roles, quotas and policies, and the secrets."""
    services = f"{name}-services"
    for stale in (name, services):
        cluster.delete_namespace(stale)
    cluster.wait_no_namespace(name, services)
    rendered = yaml.safe_load_all(cluster.kubectl("kustomize", str(ROOT / "k8s" / "overlays" / "lab")))
    names = {"stormsight": name, "stormsight-services": services}
    cluster.apply(*(renamed(document, names) for document in rendered if document["kind"] in APPLIED))
    cluster.apply(*stage_secrets(name))
    kubeconfig = folder / f"{name}.kubeconfig"
    kubeconfig.write_text(command([str(cluster.tools / "sa-kubeconfig"), services, ORCHESTRATOR]))
    kubeconfig.chmod(0o600)
    return Namespace(cluster, name, services, kubeconfig)


def renamed(manifest: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return ``manifest`` with its namespaces renamed, wherever it names one."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                k: names.get(v, v) if k in ("namespace", "kubernetes.io/metadata.name") else walk(v)
                for k, v in value.items()
            }
        return [walk(item) for item in value] if isinstance(value, list) else value

    moved: dict[str, Any] = walk(manifest)
    if moved["kind"] == "Namespace":
        moved["metadata"]["name"] = names[moved["metadata"]["name"]]
    return moved


def secret(namespace: str, name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest of a Secret."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(values)}


def stage_secrets(namespace: str) -> list[dict[str, Any]]:
    """Return the manifests of all Secrets of the stages."""
    return [
        secret(
            namespace, name, credentials(MLFLOW.get(account, account)) if "-mlflow-" in name else CREDENTIALS
        )
        for account, names in SECRETS.items()
        for name in names
    ]


def volumes(code: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a pod's volumes and mounts for code and libraries, where the lab image looks for them."""
    where = {
        "code": (code, "/app"),
        "venv": (site_packages(), "/opt/venv/lib/python3.11/site-packages"),
    }
    made = [{"name": n, "hostPath": {"path": str(p), "type": "Directory"}} for n, (p, _) in where.items()]
    mounts = [{"name": n, "mountPath": at, "readOnly": True} for n, (_, at) in where.items()]
    return made, mounts


def with_mounted_code(workload: dict[str, Any], code: Path) -> dict[str, Any]:
    """Let the containers of a Deployment run the lab image, code and libraries mounted; return it."""
    pod = workload["spec"]["template"]["spec"]
    made, mounts = volumes(code)
    pod["volumes"] += made
    for container in containers({"spec": pod}):
        container["volumeMounts"] += mounts
        container["image"] = IMAGE
    return workload


def deployment(
    namespace: Namespace, code: Path, s3: S3, mlflow: Endpoint, **overrides: Any
) -> dict[str, Any]:
    """Return the settings file's content: every stage in small pods of the lab."""
    made, mounts = volumes(code)
    kubernetes = {
        "namespace": namespace.name,
        "images": {"data": IMAGE, "train": IMAGE},
        "secrets": SECRETS,
        "service_accounts": {account: f"stormsight-{account}" for account in SECRETS},
        "max_cpu": 0.3,
        "max_memory": "3Gi",
        "gpu": GPU,
        "priority_classes": {"data": "stormsight-data", "train": "stormsight-train"},
        "scratch": {"size": "5Gi"},
        "shm": "256Mi",
        "startup_timeout_s": 120,
        "schedule_timeout_s": 300,
        "termination_grace_s": 60,
        "volumes": made,
        "volume_mounts": mounts,
        "env": {"OMP_NUM_THREADS": "1"},
        "host_aliases": [],
    }
    return {
        "mode": "kubernetes",
        "profile": "smoke",
        "objects": f"s3://{BUCKET}/pipeline",
        "landing": f"s3://{LANDING_BUCKET}/",
        "remote": f"s3://{BUCKET}/dvc",
        "environment": {
            "AWS_ENDPOINT_URL_S3": s3.pods,
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_TRACKING_URI": mlflow.pods,
        },
        "kubernetes": {**kubernetes, **overrides},
    }


def write_deployment(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    return path
