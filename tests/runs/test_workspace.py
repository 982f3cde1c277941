from __future__ import annotations

import json
from typing import Any

import pytest

from components.contract.errors import BadDataError
from components.contract.graph.load import load_graph
from components.contract.graph.model import contains
from components.contract.hashing import sha256_bytes
from components.contract.keys import catalogue_key
from components.contract.parameters import PARAMS_LOCK
from components.contract.partitions import CATALOGUE, partition_hashes, partition_names, partition_of
from components.lib.operations.plan import Acquisition
from components.runs.environment import Environment
from components.runs.workspace import workspace
from tests.conftest import ROOT
from tests.runs.pipeline import World


def test_a_workspace_holds_every_dependency_that_no_stage_makes(world: World) -> None:
    graph = load_graph(ROOT / "dvc.yaml", ROOT / "params.yaml")
    made = [out for stage in graph for out in stage.outs]
    wanted = {
        dep
        for stage in graph
        for dep in stage.deps
        if not any(contains(out, dep) or contains(dep, out) for out in made)
    }
    assert ".assets/evidence/evidence.json" in wanted
    environment: Environment = world.environment(STORMSIGHT_SOURCE=str(ROOT))
    with workspace(environment, stage="report", profile=None, acquisitions=(), lock={}) as folder:
        assert [dep for dep in sorted(wanted) if not (folder / dep).exists()] == []


def test_workspaces_of_dead_owners_go_whatever_is_left_of_them_and_nothing_else_does(world: World) -> None:
    environment: Environment = world.environment()
    arguments: Any = {"profile": None, "acquisitions": (), "lock": {}}
    with workspace(environment, stage="prepare", **arguments) as living:
        dead = living.with_name("stormsight-workspace-prepare-dead")
        (dead / "half" / "removed").mkdir(parents=True)
        foreign = living.parent / "somebody-elses"
        foreign.mkdir()
        with workspace(environment, stage="prepare", **arguments) as second:
            assert living.exists()
            assert not dead.exists()
            assert sorted(world.workspaces.iterdir()) == sorted([living, second, foreign])
        dead.mkdir()  # by a worker that outlived its parent by a moment
    assert list(world.workspaces.iterdir()) == [foreign]


def test_a_stage_fetches_the_catalogue_entries_of_its_partition_alone(world: World) -> None:
    """At 10,000 acquisitions each pod fetched 10,000 entries; all stages still see the same graph."""
    environment: Environment = world.environment(STORMSIGHT_SOURCE=str(ROOT))
    partitions = partition_names({"partitions": 16})
    acquisitions = []
    for number in range(6):
        content = json.dumps({"id": f"new-{number}"}).encode()
        world.objects.put(catalogue_key(f"new-{number}"), content)
        acquisitions.append(Acquisition(f"new-{number}", sha256_bytes(content)))
    own = partition_of("new-0", partitions)
    fetched, locks = {}, set()
    for stage in (f"download@{own}", "verdict", None):
        with workspace(
            environment, stage=stage, profile="spacenet6", acquisitions=acquisitions, lock={}
        ) as folder:
            entries = {one.id: (folder / CATALOGUE / f"{one.id}.yaml").read_bytes() for one in acquisitions}
            fetched[stage] = {name for name, content in entries.items() if content}
            locks.add((folder / PARAMS_LOCK).read_text())
    inside = {one.id for one in acquisitions if partition_of(one.id, partitions) == own}
    assert fetched == {f"download@{own}": inside, "verdict": set(), None: set()}
    assert "new-0" in inside != {one.id for one in acquisitions}
    (lock,) = locks
    sections = {"acquisitions": ["spacenet6-train", *(one.id for one in acquisitions)], "partitions": 16}
    known = {one.id: one.sha256 for one in acquisitions}
    assert f'{own}: "{partition_hashes(sections, ROOT, known)[own]}"' in lock


def test_an_entry_that_is_not_the_registered_one_is_refused_where_it_is_read(world: World) -> None:
    world.objects.put(catalogue_key("new"), b"{}")
    arguments: Any = {"profile": None, "acquisitions": [Acquisition("new", "0" * 64)], "lock": {}}
    with (
        pytest.raises(BadDataError, match="not the entry"),
        workspace(world.environment(), stage="prepare", **arguments),
    ):
        pass
    with workspace(world.environment(), stage=None, **arguments):
        pass
