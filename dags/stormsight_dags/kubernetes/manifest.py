"""Manifest of a pod: a plain Kubernetes object from the settings and the work.

The pod is restricted in the sense of the Pod Security Standards, writes to scratch volumes only, has no
service account token, and gets its secrets by reference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from components.contract.errors import ParameterError
from components.contract.redaction import names_a_secret
from components.contract.work import Work
from stormsight_dags.kubernetes.names import label_value
from stormsight_dags.kubernetes.status import CONTAINER
from stormsight_dags.settings.model import Kubernetes, Settings

Json = dict[str, Any]

MANAGED_BY = {"app.kubernetes.io/managed-by": "stormsight"}
"""Label of every pod; housekeeping finds ours by it."""

USER = 10001
"""The images' user (``k8s/images/Containerfile``)."""

REPORT_PATH = "/dev/termination-log"
WORK_PATH, TMP_PATH, SHM_PATH = "/work", "/tmp", "/dev/shm"  # noqa: S108 - mount points of volumes that only the pod sees
TMP_SIZE = "2Gi"
LOG_LAYER = "1Gi"
"""Ephemeral storage that is neither scratch nor /tmp: the container's log."""

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([kMGTP]i?|m)?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def pod_template(settings: Settings, work: Work, name: str) -> Json:
    """Return the pod as a plain Kubernetes object, without a name.

    Args:
        settings: The installation's settings.
        work: Command and requirements.
        name: Name of the work for people: the stage's address or the task's.
    """
    cluster = settings.cluster
    image = work.requirements.image
    spec: Json = {
        "restartPolicy": "Never",
        "serviceAccountName": getattr(cluster.service_accounts, work.account or image),
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # The pause process is then number 1: it collects orphans, and no command is deaf to SIGTERM.
        "shareProcessNamespace": True,
        "containers": [_container(settings, work)],
        "volumes": _volumes(cluster, work),
    }
    if cluster.priority_classes is not None:
        spec["priorityClassName"] = getattr(cluster.priority_classes, image)
    if cluster.host_aliases:
        spec["hostAliases"] = cluster.host_aliases
    if work.requirements.gpu:
        spec |= _gpu_placement(cluster)
    labels = {
        **MANAGED_BY,
        "app.kubernetes.io/name": f"stormsight-{image}",
        "stormsight/stage": label_value(name),
    }
    metadata = {"labels": labels, "annotations": {"stormsight/stage": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def environment(settings: Settings, work: Work) -> dict[str, str]:
    """Return the plain environment variables of the container.

    Raises:
        ParameterError: If a name looks like a secret's: those come by reference.
    """
    cluster = settings.cluster
    values = {
        # Libraries would count the node's cores, not the pod's.
        "OMP_NUM_THREADS": str(max(1, math.ceil(work.requirements.cpu))),
        "STORMSIGHT_IMAGE": getattr(cluster.images, work.requirements.image),
        "STORMSIGHT_REPORT": REPORT_PATH,
        "STORMSIGHT_WORKSPACE": f"{WORK_PATH}/workspaces",
        **settings.command_environment(),
        **cluster.env,
    }
    if wrong := [name for name in values if names_a_secret(name)]:
        raise ParameterError(
            f"deployment: {wrong[0]} is a plain environment variable, and looks like a secret",
            next_step="put it into a Kubernetes Secret and name that under kubernetes.secrets",
        )
    return values


def resources(cluster: Kubernetes, work: Work) -> Json:
    """Return requests and limits.

    Memory is requested in full, since the kernel gives no more than the limit. A small node's ``max_cpu``
    caps the request alone: less processor time is only slower. Limits are always written, since a
    namespace's defaults (LimitRange) would apply otherwise, to the scratch volume's size as well.
    """
    needs = work.requirements
    memory = needs.memory
    if cluster.max_memory is not None and quantity(cluster.max_memory) < quantity(memory):
        memory = cluster.max_memory
    cpu = needs.cpu if cluster.max_cpu is None else min(needs.cpu, cluster.max_cpu)
    disk = sum(quantity(size) for size in (cluster.scratch.size, TMP_SIZE, LOG_LAYER))
    gpu = {cluster.gpu.resource: str(needs.gpu)} if needs.gpu else {}
    return {
        "requests": {"cpu": _cores(cpu), "memory": memory, "ephemeral-storage": LOG_LAYER, **gpu},
        "limits": {
            "cpu": _cores(needs.cpu),
            "memory": memory,
            "ephemeral-storage": str(int(disk)),
            **gpu,
        },
    }


def quantity(text: str) -> float:
    """Return a Kubernetes quantity as a number.

    Raises:
        ParameterError: If ``text`` is none.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ParameterError(f"{text!r} is not a quantity", next_step="write a number as in 4Gi")
    number, suffix = float(match[1]), match[2] or ""
    if suffix == "m":
        return number / 1000
    base = 1024.0 if suffix.endswith("i") else 1000.0
    return float(number * base ** _POWERS[suffix.removesuffix("i")])


def _container(settings: Settings, work: Work) -> Json:
    cluster = settings.cluster
    return {
        "name": CONTAINER,
        "image": getattr(cluster.images, work.requirements.image),
        "env": [{"name": k, "value": v} for k, v in environment(settings, work).items()],
        "envFrom": [{"secretRef": {"name": secret}} for secret in cluster.secrets],
        "resources": resources(cluster, work),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": REPORT_PATH,
        "volumeMounts": _mounts(cluster, work),
    }


def _volumes(cluster: Kubernetes, work: Work) -> list[Json]:
    volumes: list[Json] = [
        {"name": "work", "emptyDir": {"sizeLimit": cluster.scratch.size}},
        {"name": "tmp", "emptyDir": {"sizeLimit": TMP_SIZE}},
    ]
    if work.requirements.gpu:
        # Data loading processes hand tensors over through shared memory; the runtime's default is 64 MiB.
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": cluster.shm}})
    return [*volumes, *cluster.volumes]


def _mounts(cluster: Kubernetes, work: Work) -> list[Json]:
    mounts: list[Json] = [{"name": "work", "mountPath": WORK_PATH}, {"name": "tmp", "mountPath": TMP_PATH}]
    if work.requirements.gpu:
        mounts.append({"name": "shm", "mountPath": SHM_PATH})
    return [*mounts, *cluster.volume_mounts]


def _gpu_placement(cluster: Kubernetes) -> Mapping[str, Any]:
    gpu = cluster.gpu
    placement: Json = {"nodeSelector": gpu.node_selector, "tolerations": gpu.tolerations}
    if gpu.runtime_class is not None:
        placement["runtimeClassName"] = gpu.runtime_class
    return {key: value for key, value in placement.items() if value}


def _cores(cpu: float) -> str:
    return f"{round(cpu * 1000)}m"
