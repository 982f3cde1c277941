from __future__ import annotations

from tests.cluster.pipeline import Pipeline
from tests.cluster.processes import wait_for
from tests.cluster.scenarios import ACQUISITIONS, Retraining


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
    assert [set(claim["acquisitions"]) for claim in claims] == [{"lab-first"}, {"lab-first", "lab-second"}]
    assert claims[-1]["key"] == disturbed.key
    assert len(pipeline.events("succeeded")) == 2
