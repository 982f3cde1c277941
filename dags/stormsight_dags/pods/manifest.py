"""What a stage's pod is made of: plain Kubernetes objects from the settings, and the operator's arguments.

The pod is restricted in the sense of the Pod Security Standards, writes to scratch volumes only, has no
service account token, and gets its secrets by reference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any, Literal

from components.contract.errors import ParameterError
from stormsight_dags.pods.failures import NOTHING_TO_DO
from stormsight_dags.pods.redaction import names_a_secret
from stormsight_dags.pods.status import CONTAINER
from stormsight_dags.settings import Kubernetes, Settings

Json = dict[str, Any]

MANAGED_BY = {"app.kubernetes.io/managed-by": "stormsight"}
"""On every pod; housekeeping finds ours by it."""

USER = 10001
"""The images' user (``k8s/images/Containerfile``)."""

REPORT_PATH = "/dev/termination-log"
WORK, TMP, SHM = "/work", "/tmp", "/dev/shm"  # noqa: S108 - mount points of volumes that only the pod sees
TMP_SIZE = "2Gi"
LOG_LAYER = "1Gi"
"""Ephemeral storage that is neither scratch nor /tmp: the container's log."""

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([kMGTP]i?|m)?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5}


@dataclass(frozen=True)
class Work:
    """One command that should run in a pod.

    Attributes:
        command: The container's command line; may hold Airflow templates.
        image: Which image, ``data`` or ``train``.
        cpu: Cores.
        memory: Memory, a Kubernetes quantity.
        gpu: Number of GPUs.
        stage: The address of the graph's stage; ``None`` for a service command.
        service_account: Another account than the image's own.
    """

    command: tuple[str, ...]
    image: Literal["data", "train"]
    cpu: float = 1
    memory: str = "1Gi"
    gpu: int = 0
    stage: str | None = None
    service_account: str | None = None


def pod_template(settings: Settings, work: Work, task_id: str) -> Json:
    """The pod as a plain Kubernetes object, without a name."""
    cluster = settings.cluster
    name = work.stage or task_id
    spec: Json = {
        "restartPolicy": "Never",
        "serviceAccountName": work.service_account or getattr(cluster.service_accounts, work.image),
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
        spec["priorityClassName"] = getattr(cluster.priority_classes, work.image)
    if cluster.host_aliases:
        spec["hostAliases"] = cluster.host_aliases
    if work.gpu:
        spec |= _gpu_placement(cluster)
    labels = {
        **MANAGED_BY,
        "app.kubernetes.io/name": f"stormsight-{work.image}",
        "stormsight/stage": label_value(name),
    }
    metadata = {"labels": labels, "annotations": {"stormsight/stage": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def operator_arguments(settings: Settings, work: Work, task_id: str) -> Json:
    """Arguments of ``KubernetesPodOperator`` for ``work``."""
    cluster = settings.cluster
    return {
        "namespace": cluster.namespace,
        "cmds": list(work.command),
        "pod_template_dict": pod_template(settings, work, task_id),
        "random_name_suffix": False,
        "automount_service_account_token": False,
        "startup_timeout_seconds": cluster.startup_timeout_s,
        "schedule_timeout_seconds": cluster.schedule_timeout_s,
        "termination_grace_period": cluster.termination_grace_s,
        # A backstop: Airflow's own clocks stop with Airflow.
        "active_deadline_seconds": int(settings.orchestration.deadline_h * 3600),
        "termination_message_policy": "FallbackToLogsOnError",
        "skip_on_exit_code": NOTHING_TO_DO,
        "on_finish_action": "delete_pod",
        "on_kill_action": "delete_pod",
        "do_xcom_push": False,
        "log_pod_spec_on_failure": False,
        "log_events_on_failure": False,
        "durable": True,
        "get_logs": True,
        "startup_check_interval_seconds": 1,
        "poll_interval": 2,
        "logging_interval": 15,
    }


def environment(settings: Settings, work: Work) -> dict[str, str]:
    """Plain environment variables of the container.

    Raises:
        ParameterError: If a name looks like a secret's: those come by reference.
    """
    cluster = settings.cluster
    values = {
        # Libraries would count the node's cores, not the pod's.
        "OMP_NUM_THREADS": str(max(1, math.ceil(work.cpu))),
        "STORMSIGHT_IMAGE": getattr(cluster.images, work.image),
        "STORMSIGHT_REPORT": REPORT_PATH,
        "STORMSIGHT_WORKSPACE": f"{WORK}/workspaces",
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
    """Requests and limits.

    Memory is requested in full, since the kernel gives no more than the limit. A small node's ``max_cpu``
    caps the request alone: less processor time is only slower. Limits are always written, since a
    namespace's defaults (LimitRange) would apply otherwise, to the scratch volume's size as well.
    """
    memory = work.memory
    if cluster.max_memory is not None and quantity(cluster.max_memory) < quantity(memory):
        memory = cluster.max_memory
    cpu = work.cpu if cluster.max_cpu is None else min(work.cpu, cluster.max_cpu)
    disk = sum(quantity(size) for size in (cluster.scratch.size, TMP_SIZE, LOG_LAYER))
    gpu = {cluster.gpu.resource: str(work.gpu)} if work.gpu else {}
    return {
        "requests": {"cpu": _cores(cpu), "memory": memory, "ephemeral-storage": LOG_LAYER, **gpu},
        "limits": {"cpu": _cores(work.cpu), "memory": memory, "ephemeral-storage": str(int(disk)), **gpu},
    }


def quantity(text: str) -> float:
    """A Kubernetes quantity as a number.

    Raises:
        ParameterError: If it is none.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ParameterError(f"{text!r} is not a quantity", next_step="write a number as in 4Gi")
    number, suffix = float(match[1]), match[2] or ""
    if suffix == "m":
        return number / 1000
    base = 1024.0 if suffix.endswith("i") else 1000.0
    return float(number * base ** _POWERS[suffix.removesuffix("i")])


def label_value(text: str) -> str:
    """``text`` as a label's value: unchanged if it may be one, else shortened, with a hash of the whole."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("_.-")
    if safe == text and len(safe) <= 63:
        return safe
    return f"{safe[:53].rstrip('_.-')}-{digest(text, 8)}".lstrip("-")


def digest(text: str, length: int) -> str:
    """A short hash that tells texts apart; nothing rests on it being hard to forge."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()[:length]


def pod_name(task_id: str, key: Sequence[str | int], number: int) -> str:
    """The name of a task instance's pod: the same for every try, process and scheduler.

    Args:
        task_id: The task; it makes the name readable.
        key: What identifies the task instance (dag, run, task, map index).
        number: 0 for its first pod, one more for each that ended.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", task_id.lower()).strip("-")[:36].strip("-")
    return f"{readable or 'stage'}-{digest('/'.join(map(str, key)), 12)}-{number}"


def _container(settings: Settings, work: Work) -> Json:
    cluster = settings.cluster
    return {
        "name": CONTAINER,
        "image": getattr(cluster.images, work.image),
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
    if work.gpu:
        # Data loading processes hand tensors over through shared memory; the runtime's default is 64 MiB.
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": cluster.shm}})
    return [*volumes, *cluster.volumes]


def _mounts(cluster: Kubernetes, work: Work) -> list[Json]:
    mounts: list[Json] = [{"name": "work", "mountPath": WORK}, {"name": "tmp", "mountPath": TMP}]
    if work.gpu:
        mounts.append({"name": "shm", "mountPath": SHM})
    return [*mounts, *cluster.volume_mounts]


def _gpu_placement(cluster: Kubernetes) -> Mapping[str, Any]:
    gpu = cluster.gpu
    placement: Json = {"nodeSelector": gpu.node_selector, "tolerations": gpu.tolerations}
    if gpu.runtime_class is not None:
        placement["runtimeClassName"] = gpu.runtime_class
    return {key: value for key, value in placement.items() if value}


def _cores(cpu: float) -> str:
    return f"{round(cpu * 1000)}m"
