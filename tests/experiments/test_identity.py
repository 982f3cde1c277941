from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import ParameterError
from components.contract.graph.model import Stage
from components.contract.partitions import partition_names, partition_of
from components.experiments.grid import (
    GRID,
)
from components.experiments.identity import StageGraph, begin_attempt, current_stamp, read_stamp, stage_key
from components.experiments.parameters import ParameterOverlay
from tests.experiments.toy_grid import STAGE
from tests.experiments.workspace import Workspace


def sections(stage: Stage) -> set[str]:
    return {parameter.key.partition(".")[0] for parameter in stage.params} - {"profiles"}


def test_stages_are_known_by_what_the_graph_declares(repository: Path) -> None:
    graph = StageGraph()
    concord, hfd = (
        graph.stage(("components.distill", "--method", name)) for name in ("concord", "hfd_reading")
    )
    control = graph.stage(("components.distill", "--method", "none"))
    assert sections(concord) == {"distill", "methods", "training"}
    assert "components/lib/methods/concord.py" in concord.deps
    assert "components/lib/methods/concord.py" not in hfd.deps
    assert (control.address, concord.address) == ("control", "distill@concord")
    assert "components/lib/losses" in concord.deps
    assert "components/lib/selftraining" in graph.stage(("components.adapt",)).deps
    download = graph.stage(("components.download", "--partition", "p00"))
    assert download.address == "download@p00"
    assert sections(download) == {"world", "download", "partition_sha256"}
    assert graph.stage(("components.validate", "--verdict")).address == "verdict"
    with pytest.raises(ParameterError, match="no stage that runs"):
        graph.stage(("components.distill",))
    for method in GRID:
        assert method.command is None or graph.stage(method.command).deps, method.name
    parameters = ParameterOverlay(repository / "params.yaml", "evidence")
    commands = [("components.adapt",), ("components.distill", "--method", "concord")]
    commands += [("components.distill", "--method", "hfd_reading"), ("components.prepare", "--split")]
    assert len({stage_key(graph, command, parameters)["code"] for command in commands}) == 4


def test_a_world_s_key_follows_the_acquisitions_of_its_partition(repository: Path) -> None:
    parameters = ParameterOverlay(repository / "params.yaml", "evidence")

    def key(partition: str, **changes: object) -> object:
        command = ("components.download", "--partition", partition)
        return stage_key(StageGraph(), command, parameters, [changes])["parameters"]

    both = ["rehearsal-airborne", "rehearsal-spaceborne"]
    whole: dict[str, object] = {"partitions": 3, "acquisitions": both}
    one: dict[str, object] = {**whole, "acquisitions": both[:1]}
    mine, other = (partition_of(name, partition_names(whole)) for name in both)
    assert mine != other
    assert key(mine, **whole) == key(mine, **one)
    assert key(other, **whole) != key(other, **one)


def test_parameters_of_other_methods_are_no_part_of_a_trials_key(repository: Path) -> None:
    parameters = ParameterOverlay(repository / "params.yaml", "evidence")

    def key(method: str, **changes: object) -> object:
        command = ("components.distill", "--method", method)
        return stage_key(StageGraph(), command, parameters, [changes])["parameters"]

    plain = key("disoptnet")
    assert key("disoptnet", methods={"concord": {"soft": 7.0, "lr": 0.5}}) == plain
    assert key("disoptnet", distill={"methods": ["none"]}) == plain
    assert key("disoptnet", methods={"disoptnet": {"lr": 0.5}}) != plain
    assert key("disoptnet", methods={"disoptnet": {"soft_ramp": 0.9}}) != plain
    assert key("disoptnet", distill={"epochs": 99}) != plain
    assert key("concord", methods={"concord": {"soft": 7.0}}) != key("concord")


def test_keys_follow_code_and_overrides_and_not_how_a_training_runs(workspace: Workspace) -> None:
    command = (STAGE, "plain", "sar/none", "control")

    def key(*overrides: dict[str, object]) -> object:
        parameters = ParameterOverlay(workspace.folder / "params.yaml", "evidence")
        return stage_key(StageGraph(workspace.root), command, parameters, overrides)

    plain = key()
    assert key({"training": {"log_every": 1}}) == plain
    assert key({"evaluate": {"pictures": 7}}) == plain
    assert key({"training": {"lr": 0.5}}) != plain
    assert key({"optical": {"width": 2}}) != plain
    workspace.code("two")
    assert key() != plain
    workspace.code("one")
    assert key() == plain


def test_a_stamp_counts_while_its_key_is_the_same(tmp_path: Path) -> None:
    stamp, left = tmp_path / "begun.json", tmp_path / "work"
    (left / "checkpoint").mkdir(parents=True)
    log = tmp_path / "log"
    log.touch()
    begin_attempt(stamp, {"code": "a"}, [left, log])
    assert not left.exists()
    assert not log.exists()
    left.mkdir()
    begin_attempt(stamp, {"code": "a"}, [left, log])
    assert left.exists(), "the same key: it goes on from its checkpoint"
    assert current_stamp(stamp, {"code": "a"}) == {"key": {"code": "a"}}
    assert current_stamp(stamp, {"code": "b"}) is None
    begin_attempt(stamp, {"code": "b"}, [left, log])
    assert not left.exists()
    stamp.write_text("{ torn")
    assert read_stamp(stamp) is None
    assert current_stamp(stamp, None) is None
