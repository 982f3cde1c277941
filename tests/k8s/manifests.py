"""Rendered overlays, and how to walk over their objects."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ("lab", "cloud")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")

Manifest = dict[str, Any]


def kubectl() -> str | None:
    """A kubectl: the lab cluster's or the system's."""
    lab = Path(os.environ.get("CLUSTER_HOME", "/var/tmp/k8s-lab")) / "bin" / "kubectl"
    return shutil.which("kubectl") or (str(lab) if lab.exists() else None)


@cache
def rendered_text(overlay: str) -> str:
    """``kubectl kustomize`` of an overlay."""
    program = kubectl()
    assert program is not None
    command = [program, "kustomize", str(ROOT / "k8s" / "overlays" / overlay)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rendered(overlay: str) -> list[Manifest]:
    """The overlay's objects, fresh on every call so that a test may change them."""
    return [document for document in yaml.safe_load_all(rendered_text(overlay)) if document]


def settings(overlay: str) -> Manifest:
    """The overlay's ``deployment.yaml``."""
    loaded: Manifest = yaml.safe_load((ROOT / "k8s/overlays" / overlay / "deployment.yaml").read_text())
    return loaded


def called(manifest: Manifest) -> str:
    """Kind, namespace and name, for messages."""
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace', '-')}/{metadata['name']}"


def template(manifest: Manifest) -> Manifest | None:
    """The pod template of a workload (a pod is its own), with its namespace filled in."""
    if manifest["kind"] == "Pod":
        found = {"metadata": manifest["metadata"], "spec": manifest["spec"]}
    elif manifest["kind"] in WORKLOADS:
        found = manifest["spec"]["template"]
    elif manifest["kind"] == "CronJob":
        found = manifest["spec"]["jobTemplate"]["spec"]["template"]
    else:
        return None
    found.setdefault("metadata", {}).setdefault("namespace", manifest["metadata"].get("namespace"))
    return found


def containers(pod: Manifest) -> Iterator[Manifest]:
    """Every container of a pod template, init and ephemeral ones too."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod["spec"].get(field) or []


def find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """The one object of this kind and name."""
    [found] = [m for m in objects if m["kind"] == kind and m["metadata"]["name"] == name]
    return found
