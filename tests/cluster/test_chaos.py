"""The second retraining, during which failures are injected: it ends as an undisturbed one would."""

from __future__ import annotations

import json
import re
from pathlib import Path

from components.contract.keys import failure_key, plan_key
from tests.cluster.pipeline import Pipeline
from tests.cluster.podlog import ended
from tests.cluster.processes import wait_for
from tests.cluster.scenarios import ACQUISITIONS, Retraining
from tests.cluster.undisturbed import MODEL, Undisturbed, kept_weights

TASK = f"pipeline.{MODEL}"


def test_doubled_reordered_and_unknown_events_train_nothing_again(
    first: Retraining, disturbed: Retraining, pipeline: Pipeline
) -> None:
    """A lost event's acquisition is trained once by then; late, doubled and unknown events train nothing."""
    client = pipeline.airflow.client
    before = [body["event"] for body in pipeline.events()]
    known = {pod.metadata.uid for pod in pipeline.pods.pods()}
    runs = len(client.runs("retrain"))
    for acquisition in (disturbed.acquisition, first.acquisition, disturbed.acquisition, "never-landed"):
        client.emit(ACQUISITIONS, acquisition=acquisition)
    wait_for("a run for the events", lambda: len(client.runs("retrain")) > runs, timeout_s=60)
    for run in client.runs("retrain")[runs:]:
        assert client.wait_run("retrain", run["dag_run_id"]) == "success"
        assert set(client.states("retrain", run["dag_run_id"]).values()) == {"skipped"}
    assert [body["event"] for body in pipeline.events()] == before
    new = {
        p.metadata.annotations["stormsight/stage"]
        for p in pipeline.pods.pods()
        if p.metadata.uid not in known
    }
    assert new <= {"plan", "finish"}


def test_a_lost_event_is_made_up_for_by_the_next_one(disturbed: Retraining, pipeline: Pipeline) -> None:
    claims = pipeline.events("claimed")
    plans = [json.loads(pipeline.record_text(plan_key(claim["run"]))) for claim in claims]
    sets = [{item["id"] for item in plan["acquisitions"]} for plan in plans]
    assert sets == [{"lab-first"}, {"lab-first", "lab-second"}]
    assert claims[-1]["key"] == disturbed.key
    assert len(pipeline.events("succeeded")) == 2


def test_a_scheduler_that_dies_under_a_task_makes_no_second_pod(disturbed: Retraining) -> None:
    """`plan` waits in a worker, which died with the scheduler; the next try took the pod over."""
    (pod,) = disturbed.pods_of("plan")
    assert disturbed.states["plan"] == "success"
    assert ended(pod).exit_code == 0


def test_a_deferred_task_outlives_scheduler_and_triggerer_with_its_pod(disturbed: Retraining) -> None:
    assert len(disturbed.pods_of("prepare@p00")) == 1
    assert disturbed.states["pipeline.prepare.p00"] == "success"


def test_an_evicted_training_ends_with_a_checkpoint_and_is_retried(
    disturbed: Retraining, pipeline: Pipeline
) -> None:
    evicted, retried = disturbed.pods_of(MODEL)
    # Its own record: a kubelet may delete an evicted pod before it has told how the container ended.
    stopped = json.loads(pipeline.record_text(failure_key(disturbed.key, MODEL, 1)))
    assert (stopped["exit_code"], stopped["failure_class"]) == (143, "terminated")
    assert evicted.metadata.deletion_timestamp
    assert ended(retried).exit_code == 0
    text = pipeline.airflow.client.log("retrain", disturbed.run_id, TASK, 1)
    assert "failed: evicted" in text


def test_the_retry_goes_on_where_the_eviction_stopped_it(disturbed: Retraining, pipeline: Pipeline) -> None:
    text = pipeline.airflow.client.log("retrain", disturbed.run_id, TASK, 2)
    assert "checkpoint restored" in text
    resumed = re.search(r"continuing at step (\d+) of (\d+)", text)
    assert resumed, text
    step, steps = map(int, resumed.groups())
    assert 0 < step < steps


def test_the_resumed_model_is_the_one_an_undisturbed_training_makes(
    disturbed: Retraining, pipeline: Pipeline, peer: Undisturbed, folder: Path
) -> None:
    resumed = kept_weights(pipeline, disturbed.key, folder / "resumed")
    assert resumed
    assert resumed == peer.weights()
