from __future__ import annotations

import re
from pathlib import Path

from tests.cluster.pipeline import Pipeline
from tests.cluster.podlog import ended
from tests.cluster.scenarios import Retraining
from tests.cluster.undisturbed import MODEL, Undisturbed, kept_weights

TASK = f"pipeline.{MODEL}"


def test_an_evicted_training_ends_with_a_checkpoint_and_is_retried(
    disturbed: Retraining, pipeline: Pipeline
) -> None:
    evicted, retried = disturbed.pods_of(MODEL)
    assert ended(evicted).exit_code == 143
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
