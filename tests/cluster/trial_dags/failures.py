"""One task per way to fail, and a few that should not fail; run by tests/cluster/test_failures.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow.sdk import DAG
from kubernetes.client import models as k8s

from components.contract.work import Requirements, Work
from stormsight_dags.airflow.pod_operator import StagePodOperator
from stormsight_dags.settings.load import load_settings
from stormsight_dags.settings.model import Settings

FOUND = load_settings()
ORCHESTRATION = FOUND.orchestration.model_copy(
    update={
        "infrastructure_retries": {"evicted": 1},
        "retries": {"trial": {"source_unavailable": 1}},
        "retry_delay_s": 0.0,
    }
)
SETTINGS = FOUND.model_copy(
    update={
        "orchestration": ORCHESTRATION,
        "kubernetes": FOUND.cluster.model_copy(update={"max_cpu": 0.02, "termination_grace_s": 2}),
    }
)

LEAVE = "from components.contract import errors; from components.lib import cli; cli.run(lambda: {work})"
SLEEP = ["sh", "-c", "echo waiting; sleep 600"]
FILL = ["python3", "-c", "print('filling', flush=True); kept = []\nwhile True: kept.append(b'x' * (8 << 20))"]


def cluster(**update: Any) -> Settings:
    """The settings with something about the cluster changed."""
    return SETTINGS.model_copy(update={"kubernetes": SETTINGS.cluster.model_copy(update=update)})


def leave(work: str) -> list[str]:
    """A command that ends as our commands do."""
    return ["python3", "-c", LEAVE.format(work=work)]


def fail(error: str) -> list[str]:
    """A command that raises one of our errors, with a credential in its text."""
    text = "strip 7 is torn, seen with AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY"
    return leave(f"(_ for _ in ()).throw(errors.{error}({text!r}, next_step='mend strip 7'))")


SYNC = {"deferrable": False}
SMALL = Requirements(memory="128Mi")
RETRIED = replace(SMALL, retry="trial")
TWO_GPUS = replace(SMALL, gpu=2)
NO_IMAGE = SETTINGS.cluster.images.model_copy(update={"data": "localhost/stormsight-absent:1"})
NO_SECRET = SETTINGS.cluster.secrets.model_copy(update={"data": ["no-such-secret"]})
NO_ACCOUNT = SETTINGS.cluster.service_accounts.model_copy(update={"data": "nobody"})

CASES: Mapping[str, dict[str, Any]] = {
    "works": {"command": leave("cli.report_result({'tiles': 24})")},
    "nothing_to_do": {"command": leave("99")},
    "bad_data": {"command": fail("BadDataError")},
    "missing_input": {"command": fail("MissingInputError"), **SYNC},
    "source_unavailable": {
        "command": fail("SourceUnavailableError"),
        "requirements": replace(SMALL, retry="trial"),
        **SYNC,
    },
    "resource": {"command": fail("ResourceError"), **SYNC},
    "gate_refused": {"command": fail("GateRefusedError"), **SYNC},
    "misconfigured": {"command": fail("ParameterError"), **SYNC},
    "code_error": {"command": leave("1 / 0"), **SYNC},
    "out_of_memory": {"command": FILL, "requirements": replace(SMALL, memory="64Mi")},
    "deadline": {"command": SLEEP, "active_deadline_seconds": 4},
    "evicted": {"command": SLEEP},
    "deleted": {"command": SLEEP},
    "unschedulable": {"command": SLEEP, "requirements": TWO_GPUS, "schedule_timeout_seconds": 6},
    "over_quota": {"command": SLEEP, "requirements": replace(SMALL, gpu=64)},
    "image_pull": {"command": SLEEP, "settings": cluster(images=NO_IMAGE)},
    "startup": {"command": ["/no/such/command"]},
    "no_secret": {"command": SLEEP, "settings": cluster(secrets=NO_SECRET)},
    "refused": {"command": SLEEP, "settings": cluster(service_accounts=NO_ACCOUNT)},
}
"""Arguments by task id; the rest are defaults."""

SYNCHRONOUS = ("out_of_memory", "deleted", "unschedulable", "image_pull")
"""Tasks that are also tried without the triggerer."""


def task(name: str, case: Mapping[str, Any], **more: Any) -> StagePodOperator:
    arguments: dict[str, Any] = {"settings": SETTINGS, "requirements": SMALL, **case, **more}
    command, requirements = arguments.pop("command"), arguments.pop("requirements")
    return StagePodOperator(task_id=name, work=Work(tuple(command), requirements, stage=name), **arguments)


with DAG("trial_failures", schedule=None, catchup=False, max_active_tasks=16):
    for key, case in CASES.items():
        task(key, case)
    for key in SYNCHRONOUS:
        task(f"{key}_sync", CASES[key], **SYNC)

IMPATIENT = {
    "key": "node.kubernetes.io/unreachable",
    "operator": "Exists",
    "effect": "NoExecute",
    "tolerationSeconds": 1,
}
GPU = SETTINGS.cluster.gpu
ON_GPU = cluster(gpu=GPU.model_copy(update={"tolerations": [*GPU.tolerations, IMPATIENT]}))

TOLERATED = [
    k8s.V1Toleration(key="nvidia.com/gpu", operator="Exists"),
    k8s.V1Toleration(key=IMPATIENT["key"], operator="Exists", effect="NoExecute", toleration_seconds=1),
]

with DAG("trial_node_loss", schedule=None, catchup=False):
    task("node_lost", {"command": SLEEP, "requirements": replace(SMALL, gpu=1), "settings": ON_GPU})
    # Beside it, since there is one GPU.
    task("node_lost_sync", {"command": SLEEP, **SYNC}, node_selector=GPU.node_selector, tolerations=TOLERATED)
