"""Maps of what is registered, by the champion of the first retraining: in pods, by events alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client

from components.contract.keys import ITEM, MAP_ITEMS, MAP_WORK, MAPS
from tests.cluster.lab import BUCKET
from tests.cluster.pipeline import MAP_GROUPS, PREFIX, Pipeline
from tests.cluster.podlog import lifetime_s
from tests.cluster.processes import wait_for
from tests.cluster.scenarios import Retraining

PROMOTIONS = "model"
"""Name of the asset that announces promotions."""


@dataclass(frozen=True)
class Mapped:
    """One finished run of the DAG ``map``: its state, its task instances, its pods."""

    state: str
    tasks: list[dict[str, Any]]
    pods: list[client.V1Pod]

    def states(self, task: str) -> list[str]:
        """Return the states of a task, of each of its instances if Airflow mapped it."""
        return [str(one["state"]) for one in self.tasks if one["task_id"] == task]

    def pods_of(self, task: str) -> list[client.V1Pod]:
        return [pod for pod in self.pods if pod.metadata.annotations["stormsight/stage"] == task]


def run_for_an_event(pipeline: Pipeline) -> Mapped:
    """Announce a promotion, as the gate did while the DAG was paused; wait for the run that it starts."""
    airflow = pipeline.airflow.client
    known = {run["dag_run_id"] for run in airflow.runs("map")}

    def started() -> str:
        return next((str(r["dag_run_id"]) for r in airflow.runs("map") if r["dag_run_id"] not in known), "")

    airflow.emit(PROMOTIONS)
    run = wait_for("a run of map", started, timeout_s=120)
    state = airflow.wait_run("map", run, timeout_s=1800)
    pods = [p for p in pipeline.pods.pods() if p.metadata.annotations.get("stormsight/run") == run]
    return Mapped(state, airflow.tasks("map", run), pods)


@pytest.fixture(scope="module")
def mapping(first: Retraining, pipeline: Pipeline) -> Iterator[Pipeline]:
    """The pipeline with the DAG ``map`` at work; it is paused again, so that no other test meets its pods."""
    del first
    pipeline.airflow.wait_dags("map")
    pipeline.airflow.client.pause("map", False)
    yield pipeline
    pipeline.airflow.client.pause("map")


@pytest.fixture(scope="module")
def mapped(mapping: Pipeline) -> Mapped:
    """The run that maps what is registered."""
    return run_for_an_event(mapping)


def registered(pipeline: Pipeline) -> set[str]:
    return {body["acquisition"] for body in pipeline.events("registered")}


def items(pipeline: Pipeline) -> dict[str, list[str]]:
    """Keys of the finished maps' items by acquisition."""
    found: dict[str, list[str]] = {}
    for key in pipeline.s3.keys(BUCKET, f"{PREFIX}{MAP_ITEMS}"):
        name, _, file = key.removeprefix(f"{PREFIX}{MAP_ITEMS}").partition("/")
        if file == ITEM:
            found.setdefault(name.rpartition("-")[0], []).append(key)
    return found


def test_every_registered_acquisition_becomes_a_map(
    mapped: Mapped, mapping: Pipeline, measured: list[str]
) -> None:
    assert mapped.state == "success", [(one["task_id"], one["state"]) for one in mapped.tasks]
    assert mapped.states("merge") == ["success"]
    groups = mapped.states("group")
    assert len(groups) == MAP_GROUPS
    assert set(groups) <= {"success", "skipped"}
    assert "success" in groups
    assert {name: len(keys) for name, keys in items(mapping).items()} == dict.fromkeys(registered(mapping), 1)
    seconds = sum(lifetime_s(pod) for pod in mapped.pods)
    measured.append(
        f"maps of {len(registered(mapping))} acquisitions: {seconds:.0f} s in {len(mapped.pods)} pods"
    )


def test_a_map_is_whole_and_names_its_model(mapped: Mapped, mapping: Pipeline) -> None:
    del mapped
    for (key,) in items(mapping).values():
        item = json.loads(mapping.s3.read(BUCKET, key))
        folder = key.rpartition("/")[0]
        assert '"stormsight-sar"' in json.dumps(item)
        assert item["assets"]
        for asset in item["assets"].values():
            href = asset["href"].removeprefix("./")
            assert mapping.s3.has(BUCKET, f"{folder}/{href}"), asset
    assert mapping.s3.has(BUCKET, f"{PREFIX}{MAPS}catalog.json")
    assert mapping.s3.keys(BUCKET, f"{PREFIX}{MAP_WORK}") == []


def test_each_group_ran_in_a_pod_of_its_own_with_the_account_that_writes_maps_alone(mapped: Mapped) -> None:
    groups = mapped.pods_of("group")
    assert len({pod.metadata.name for pod in groups}) == len(groups) == MAP_GROUPS
    assert {pod.metadata.labels["map_index"] for pod in groups} == {str(n) for n in range(MAP_GROUPS)}
    assert {pod.spec.service_account_name for pod in mapped.pods} == {"stormsight-map"}
    assert {len(mapped.pods_of(name)) for name in ("plan", "merge", "compare")} == {1}
    assert mapped.states("compare")[0] in {"success", "skipped"}, "skipped where nothing is earlier"


def test_another_event_maps_nothing_again(mapped: Mapped, mapping: Pipeline) -> None:
    del mapped
    before = items(mapping)
    again = run_for_an_event(mapping)
    assert again.state == "success"
    assert again.states("plan") == again.states("merge") == ["skipped"]
    assert [pod.metadata.annotations["stormsight/stage"] for pod in again.pods] == ["plan"]
    assert items(mapping) == before
