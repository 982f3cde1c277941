"""OpenLineage events of a training."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from components.lib.history.facts import RunFacts
from components.lib.history.lineage import events_of, lines_of, run_id
from tests.lib.history.trainings import BEGIN, failure, stage, training

DATA = "s3://remote"


def told(run: RunFacts) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(events_of(run, DATA)).splitlines()]


def tags(event: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in event["run"]["facets"]["tags"]["tags"]}


def test_a_stage_names_its_data_by_the_hashes_of_the_lock() -> None:
    one = stage(
        "distill@concord", begin=60, inputs={"data/x": "a1"}, outputs={"models/y": "b2"}, sizes={"data/x": 7}
    )
    events = told(training(one, ended=BEGIN + timedelta(hours=2)))
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "training"),
        ("START", "distill@concord"),
        ("COMPLETE", "distill@concord"),
        ("COMPLETE", "training"),
    ]
    done = events[2]
    (read,), (made,) = done["inputs"], done["outputs"]
    assert (read["namespace"], read["name"]) == (DATA, "data/x")
    assert read["facets"]["version"]["datasetVersion"] == "a1"
    assert read["inputFacets"]["inputStatistics"]["size"] == 7
    assert made["facets"]["version"]["datasetVersion"] == "b2"
    assert done["run"]["facets"]["parent"]["run"]["runId"] == events[0]["run"]["runId"]
    assert events[1]["run"]["runId"] == done["run"]["runId"]
    assert tags(done)["code_sha256"] == "c" * 64
    assert tags(done)["image"] == "local"


def test_failures_are_events_of_their_own() -> None:
    run = training(
        outcome="failed",
        failed_stage="control",
        failure_class="evicted",
        message="preempted",
        failures=(failure("control"),),
    )
    events = told(run)
    assert [event["eventType"] for event in events] == ["START", "FAIL", "FAIL"]
    assert events[1]["run"]["facets"]["errorMessage"]["message"] == "evicted: preempted"
    assert events[2]["run"]["facets"]["errorMessage"]["message"] == "control: evicted: preempted"
    assert len({event["run"]["runId"] for event in events}) == 2


def test_events_are_the_same_whenever_they_are_told() -> None:
    run = training(stage("control"), simulated=True)
    assert lines_of(events_of(run, DATA)) == lines_of(events_of(run, DATA))
    assert run_id(run, "control") != run_id(run, "adapt")
    assert tags(told(run)[0])["simulated"] == "true"


def test_of_another_run_s_stages_and_of_what_has_no_time_nothing_is_told() -> None:
    run = training(
        stage("control", run="earlier"), stage("adapt", started=None, ended=None), started=None, ended=None
    )
    assert told(run) == []
