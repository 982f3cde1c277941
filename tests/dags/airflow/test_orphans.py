"""Orphans are old pods whose task does not wait for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from stormsight_dags.airflow.orphans import WAITING, orphans

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def pod(name: str, age_h: float, *, labels: dict[str, str] | None = None, run: str | None = "r/1") -> Any:
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=name,
            creation_timestamp=NOW - timedelta(hours=age_h),
            labels={"dag_id": "retrain", "task_id": "pipeline.optical"} if labels is None else labels,
            annotations={"stormsight/run": run} if run else None,
        )
    )


def found(pods: list[Any], state: str | None) -> list[str]:
    def states(dag: str, run: str, task: str) -> str | None:
        assert (dag, run, task) == ("retrain", "r/1", "pipeline.optical")
        return state

    return [p.metadata.name for p in orphans(pods, states, NOW - timedelta(hours=72))]


def test_only_old_pods_are_looked_at() -> None:
    assert found([pod("young", 71), pod("old", 73)], "failed") == ["old"]


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "upstream_failed", "removed", None])
def test_a_pod_whose_task_has_ended_is_an_orphan(state: str | None) -> None:
    assert found([pod("old", 73)], state) == ["old"]


@pytest.mark.parametrize("state", sorted(WAITING))
def test_a_pod_whose_task_waits_stays(state: str) -> None:
    assert found([pod("old", 73)], state) == []


@pytest.mark.parametrize(("state", "orphan"), [("deferred", []), ("success", ["old"])])
def test_a_pod_of_a_mapped_task_is_judged_by_its_own_instance(state: str, orphan: list[str]) -> None:
    labels = {"dag_id": "map", "task_id": "group", "map_index": "3"}
    states = {("map", "r/1", "group_3"): state, ("map", "r/1", "group_2"): "failed"}
    pods = [pod("old", 73, labels=labels)]
    found = orphans(pods, lambda *name: states.get(name), NOW - timedelta(hours=72))
    assert [p.metadata.name for p in found] == orphan


def test_a_pod_without_a_task_is_an_orphan() -> None:
    assert found([pod("by hand", 73, labels={}), pod("no run", 73, run=None)], "running") == [
        "by hand",
        "no run",
    ]
