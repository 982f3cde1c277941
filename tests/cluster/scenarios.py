"""Two runs of the retrain DAG that tests share: an undisturbed one, and one with injected failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.cluster.airflow_client import FINISHED
from tests.cluster.lab import BUCKET
from tests.cluster.pipeline import PREFIX, Pipeline
from tests.cluster.podlog import ended, has_started
from tests.cluster.processes import wait_for
from tests.cluster.undisturbed import MODEL, Undisturbed

ACQUISITIONS = "acquisitions"
"""Name of the asset that announces acquisitions."""


@dataclass(frozen=True)
class Retraining:
    """One finished run of the retrain DAG.

    Attributes:
        acquisition: Id of the acquisition that started it.
        landed: Time of the acquisition's marker.
        key: Key of the training, as claimed in the ledger.
        run_id: Airflow's id.
        state: Final state.
        tasks: Its task instances, as the API returns them.
        pods: Its pods.
    """

    acquisition: str
    landed: datetime
    key: str
    run_id: str
    state: str
    tasks: list[dict[str, Any]]
    pods: list[client.V1Pod]

    @property
    def states(self) -> dict[str, str]:
        """State by task id."""
        return {str(task["task_id"]): str(task["state"]) for task in self.tasks}

    def pods_of(self, stage: str) -> list[client.V1Pod]:
        """Return the pods of a stage or command."""
        return [pod for pod in self.pods if pod.metadata.annotations.get("stormsight/stage") == stage]


@dataclass(frozen=True)
class Started:
    """One run of the retrain DAG that has claimed an acquisition, and goes on.

    Attributes:
        acquisition: Id of the acquisition that started it.
        landed: Time of the acquisition's marker.
        run_id: Airflow's id.
    """

    acquisition: str
    landed: datetime
    run_id: str


def start_first_retraining(pipeline: Pipeline) -> Started:
    """Land one acquisition in an empty installation, and wait until a run has claimed it."""
    landed = pipeline.land("lab-first", seed=1)
    return Started("lab-first", landed, pipeline.wait_claim(0))


def end_of(pipeline: Pipeline, started: Started) -> Retraining:
    """Wait until a run has ended."""
    return _finished(pipeline, started.acquisition, started.landed, started.run_id)


def disturbed_retraining(pipeline: Pipeline, folder: Path) -> tuple[Retraining, Undisturbed]:
    """Land a second acquisition, and inject failures while it is trained on.

    Its event is lost; an old one comes again instead. The scheduler dies under ``plan``, whose supervisor
    dies with it; scheduler and triggerer die under ``prepare@p00``, which is deferred. The training of
    ``MODEL`` is evicted after a checkpoint. The gate demands what no model reaches.

    Returns:
        The run, and the evicted training as it runs undisturbed in ``folder``.
    """
    pipeline.airflow.client.pause("acquisitions")
    # The event of the first acquisition may wait behind the first run, without a run of its own yet: that
    # one would take what lands now, before anything is watched.
    wait_for("the end of the runs before", lambda: _all_ended(pipeline), timeout_s=900, poll_s=1)
    pipeline.change_params(_longer_and_refused)
    landed = pipeline.land("lab-second", seed=2)
    pipeline.command("components.acquisitions", "register")
    known = {pod.metadata.uid for pod in pipeline.pods.pods()}
    pipeline.airflow.client.emit(ACQUISITIONS, acquisition="lab-first")

    new_pod(pipeline, known, "plan", lambda pod: ended(pod) is None)  # too short to wait until it runs
    pipeline.airflow.kill("scheduler")
    pipeline.airflow.restart("scheduler")
    run_id = pipeline.wait_claim(1)

    new_pod(pipeline, known, "prepare@p00", has_started, run_id)
    for component in ("scheduler", "triggerer"):
        pipeline.airflow.kill(component)
        pipeline.airflow.restart(component)

    pod = new_pod(pipeline, known, MODEL, has_started, run_id)
    key = pipeline.events("claimed")[-1]["key"]
    checkpoint = f"{PREFIX}work/{key}/checkpoints/{MODEL}/manifest.json"
    wait_for(
        f"a checkpoint of {MODEL}",
        lambda: pipeline.s3.has(BUCKET, checkpoint),
        timeout_s=900,
        hopeless=lambda: _over(pipeline, run_id, pod),
    )
    pipeline.pods.namespace.cluster.evict(pod)
    peer = Undisturbed.start(pipeline, key, folder)
    return _finished(pipeline, "lab-second", landed, run_id), peer


def new_pod(
    pipeline: Pipeline,
    known: set[str],
    stage: str,
    when: Callable[[client.V1Pod], bool],
    run_id: str | None = None,
) -> client.V1Pod:
    """Wait for a pod of a stage that is not among ``known``, as long as the run ``run_id`` goes on."""

    def found() -> client.V1Pod | None:
        # The annotation is the address; the label of `prepare@p00` has a hash of it.
        pods = [p for p in pipeline.pods.pods() if p.metadata.annotations.get("stormsight/stage") == stage]
        new = [p for p in pods if p.metadata.uid not in known]
        return next((pod for pod in new if when(pod)), None)

    return wait_for(
        f"a pod of {stage}",
        found,
        timeout_s=900,
        poll_s=0.05,
        hopeless=lambda: None if run_id is None else _over(pipeline, run_id),
    )


def _all_ended(pipeline: Pipeline) -> bool:
    runs = pipeline.airflow.client.runs("retrain")
    told = any(run["dag_run_id"].startswith("asset_triggered") for run in runs)
    return told and all(run["state"] in FINISHED for run in runs)


def _over(pipeline: Pipeline, run_id: str, pod: client.V1Pod | None = None) -> str | None:
    """Return that a run, by its last pod, or ``pod`` has ended; None while both go on."""
    for other in pipeline.pods.pods():
        if pod is not None and other.metadata.uid == pod.metadata.uid and ended(other) is not None:
            return f"the pod {other.metadata.name} has ended before"
        annotations = other.metadata.annotations
        if (annotations.get("stormsight/run"), annotations.get("stormsight/stage")) == (run_id, "finish"):
            return f"the run {run_id} is at its end"
    return None


def _longer_and_refused(document: dict[str, Any]) -> None:
    """Make the training long enough to be evicted in the middle, and the gate refuse."""
    smoke = document["profiles"]["smoke"]
    smoke[MODEL]["epochs"] = 6
    smoke["promote"]["floor"] = 0.99


def _finished(pipeline: Pipeline, acquisition: str, landed: datetime, run_id: str) -> Retraining:
    client_ = pipeline.airflow.client
    state = client_.wait_run("retrain", run_id, timeout_s=2400)
    pods = [p for p in pipeline.pods.pods() if p.metadata.annotations.get("stormsight/run") == run_id]
    key = pipeline.events("claimed")[-1]["key"]
    return Retraining(acquisition, landed, key, run_id, state, client_.tasks("retrain", run_id), pods)
