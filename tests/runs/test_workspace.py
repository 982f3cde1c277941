from __future__ import annotations

from typing import Any

from components.contract.graph.load import load_graph
from components.contract.graph.model import contains
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
    with workspace(environment, name="report", profile=None, acquisitions={}, lock={}) as folder:
        assert [dep for dep in sorted(wanted) if not (folder / dep).exists()] == []


def test_workspaces_of_dead_owners_go_whatever_is_left_of_them_and_nothing_else_does(world: World) -> None:
    environment: Environment = world.environment()
    arguments: Any = {"profile": None, "acquisitions": {}, "lock": {}}
    with workspace(environment, name="prepare", **arguments) as living:
        dead = living.with_name("stormsight-workspace-prepare-dead")
        (dead / "half" / "removed").mkdir(parents=True)
        foreign = living.parent / "somebody-elses"
        foreign.mkdir()
        with workspace(environment, name="prepare", **arguments) as second:
            assert living.exists()
            assert not dead.exists()
            assert sorted(world.workspaces.iterdir()) == sorted([living, second, foreign])
    assert list(world.workspaces.iterdir()) == [foreign]
