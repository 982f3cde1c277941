from __future__ import annotations

from tests.cluster.scenarios import Retraining


def test_a_scheduler_that_dies_under_a_task_makes_no_second_pod(disturbed: Retraining) -> None:
    """`plan` waits in a worker, which died with the scheduler; the next try took the pod over."""
    (pod,) = disturbed.pods_of("plan")
    assert disturbed.states["plan"] == "success"
    tries = next(task["try_number"] for task in disturbed.tasks if task["task_id"] == "plan")
    print(f"plan: {tries} tries, one pod {pod.metadata.name}")


def test_a_triggerer_that_dies_under_a_deferred_task_makes_no_second_pod(disturbed: Retraining) -> None:
    assert len(disturbed.pods_of("prepare")) == 1
    assert disturbed.states["pipeline.prepare"] == "success"
