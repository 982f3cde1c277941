from __future__ import annotations

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
