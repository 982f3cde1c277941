from __future__ import annotations

from tests.cluster.podlog import ended
from tests.cluster.scenarios import Retraining


def test_a_scheduler_that_dies_under_a_task_makes_no_second_pod(disturbed: Retraining) -> None:
    """`plan` waits in a worker, which died with the scheduler; the next try took the pod over."""
    (pod,) = disturbed.pods_of("plan")
    assert disturbed.states["plan"] == "success"
    assert ended(pod).exit_code == 0


def test_a_deferred_task_outlives_scheduler_and_triggerer_with_its_pod(disturbed: Retraining) -> None:
    assert len(disturbed.pods_of("prepare")) == 1
    assert disturbed.states["pipeline.prepare"] == "success"
