from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256

from components.contract.keys import run_name
from tests.cluster.pipeline import Pipeline
from tests.cluster.podlog import lifetime_s
from tests.cluster.scenarios import Retraining, Started


def address(task_id: str) -> str:
    """Address of the stage that a task runs; a loop's key follows a dot in task ids."""
    return task_id.removeprefix("pipeline.").replace(".", "@")


def stages(run: Retraining) -> list[str]:
    """Addresses of the run's stages."""
    return [address(task_id) for task_id in run.states if task_id.startswith("pipeline.")]


def test_a_landed_acquisition_is_registered_and_claimed_by_itself(
    first_started: Started, pipeline: Pipeline
) -> None:
    assert pipeline.events("registered")[0]["acquisition"] == first_started.acquisition
    assert pipeline.events("claimed")[0]["run"] == run_name(first_started.run_id)


def test_a_landed_acquisition_is_trained_on_and_judged_by_itself(first: Retraining) -> None:
    assert first.state == "success", first.states
    assert set(first.states.values()) == {"success"}


def test_the_decision_is_in_the_ledger_and_the_run_record_is_whole(
    first: Retraining, pipeline: Pipeline, measured: list[str]
) -> None:
    assert [body["key"] for body in pipeline.events("claimed")].count(first.key) == 1
    (succeeded,) = [body for body in pipeline.events("succeeded") if body["key"] == first.key]
    assert succeeded["promoted"] is True
    text = pipeline.record_text(f"work/{first.key}/record.json")
    assert sha256(text.encode()).hexdigest() == succeeded["record_sha256"]
    record = json.loads(text)
    assert [item["id"] for item in record["acquisitions"]] == [first.acquisition]
    assert set(record["stages"]) == set(stages(first))
    assert record["decision"]["models"]["stormsight-sar"]["outcome"] == "promoted"
    assert pipeline.record_text(f"work/{first.key}/dvc.lock")
    waited = (succeeded["written"] - first.landed).total_seconds()
    measured.append(f"from landing to decision: {waited:.0f} s")


def test_each_task_ran_once_in_a_pod_of_its_own(first: Retraining) -> None:
    for name in [*stages(first), "plan", "finish", "gate"]:
        assert len(first.pods_of(name)) == 1, name


def test_what_a_pod_costs_is_measured(
    first: Retraining, pipeline: Pipeline, bare_pod_s: float, measured: list[str]
) -> None:
    record = json.loads(pipeline.record_text(f"work/{first.key}/record.json"))
    measured.append(f"a bare pod, as Airflow sees it: {bare_pod_s:.1f} s; seconds of each stage:")
    measured.append("  stage               task   pod  pull   run  push  over a bare pod")
    for task in sorted(first.tasks, key=lambda task: str(task["start_date"])):
        name = address(task["task_id"])
        if not (pods := first.pods_of(name)):
            continue  # `outcome` only repeats what `finish` said
        (pod,) = pods
        parts = record["stages"].get(name, {}).get("seconds", {})
        columns = " ".join(f"{parts.get(part, 0):5.1f}" for part in ("pull", "run", "push"))
        over = duration_s(task) - parts.get("run", 0) - bare_pod_s
        measured.append(f"  {name:18}{duration_s(task):6.1f} {lifetime_s(pod):5.0f} {columns} {over:8.1f}")


def test_a_gate_that_refuses_is_skipped_and_leaves_the_record(
    disturbed: Retraining, pipeline: Pipeline
) -> None:
    (succeeded,) = [body for body in pipeline.events("succeeded") if body["key"] == disturbed.key]
    assert succeeded["promoted"] is False
    assert disturbed.states["finish"] == "success"
    assert disturbed.states["gate"] == "skipped"
    assert disturbed.state == "success"
    assert len(disturbed.pods_of("gate")) == 1, "a refusal is never retried"
    assert '"event": "refused"' in pipeline.airflow.client.log("retrain", disturbed.run_id, "gate")


def duration_s(task: dict[str, object]) -> float:
    """Seconds from a task's start to its end."""
    begun, done = (datetime.fromisoformat(str(task[name])) for name in ("start_date", "end_date"))
    return (done - begun).total_seconds()
