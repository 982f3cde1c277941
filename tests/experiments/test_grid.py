from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.adapt.parameters import AdaptParameters
from components.contract.errors import ParameterError
from components.contract.graph.model import Stage
from components.contract.parameters import SECTIONS
from components.distill.parameters import DistillParameters
from components.experiments.grid import (
    GRID,
    WORLDS,
    TrialName,
    by_name,
    chosen,
    trials_of,
)
from components.experiments.identity import StageGraph, stage_key
from components.experiments.parameters import ParameterOverlay
from components.lib.config.loader import load_parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.methods.registry import load_method
from components.lib.tracking.parameters import TrackingParameters
from components.optical.parameters import OpticalParameters
from components.prepare.parameters import PrepareParameters


@pytest.mark.parametrize("profile", ["evidence", "evidence-gpu"])
def test_the_stages_take_what_every_row_tells_them(repository: Path, profile: str) -> None:
    documents = ParameterOverlay(repository / "params.yaml", profile)
    seen = set()
    for method in GRID:
        longer, seed = documents.budget_times(method.times), {"training": {"seed": 3}}
        told = documents.sections(SECTIONS, method.overrides, longer, seed)
        assert TrainingParameters.model_validate(told["training"]).seed == 3
        OpticalParameters.model_validate(told["optical"])
        DistillParameters.model_validate(told["distill"])
        adapt = AdaptParameters.model_validate(told["adapt"])
        if method.group == "target" and method.command:
            assert adapt.target is not None
            assert any(link.name == f"sar/{adapt.start_from}" for link in method.links)
        if method.command and method.command[0] == "components.distill":
            name = method.command[2]
            load_method(name).parameters.model_validate(told["methods"][name])
        seen.add(repr((told, method.command, method.world, method.network, method.links)))
    assert len(seen) == len(GRID), "two rows are the same training"
    for overrides in WORLDS.values():
        PrepareParameters.model_validate(documents.sections(["prepare"], overrides)["prepare"])


def test_a_cell_s_parameter_file_reads_like_any_other(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    documents = ParameterOverlay(repository / "params.yaml", "evidence-gpu")
    path.write_text(documents.document({"training": {"lr": 0.5}}, {"training": {"seed": 3}}))
    training = load_parameters("training", TrainingParameters, path)
    assert (training.lr, training.seed, training.encoder) == (0.5, 3, "efficientnet-b3")
    assert load_parameters("tracking", TrackingParameters, path).uri == "none"


def test_rows_build_on_earlier_rows_and_have_names_of_their_own() -> None:
    names = [method.name for method in GRID]
    assert len(set(names)) == len(names) == len({method.label for method in GRID})
    for position, method in enumerate(GRID):
        assert {link.method for link in method.links} <= set(names[:position]), method.name
        assert method.compared_with is None or method.compared_with in names[:position]
        assert (method.group == "ablation") == (method.compared_with is not None)
        if method.command is None:
            assert len(method.links) == 1
        for link in method.links:
            assert by_name()[link.method].model == link.model


def test_a_choice_brings_along_what_it_starts_from() -> None:
    assert [m.name for m in chosen(["hfd_reading", "control"])] == ["control", "teacher_hfd", "hfd_reading"]
    assert chosen(None) == list(GRID)
    with pytest.raises(ParameterError, match="the nearest is 'disoptnet'"):
        chosen(["disoptnt"])
    some = chosen(["concord_no_masks"])
    assert trials_of(some, (4, 5), (5,)) == [
        TrialName(4, "teacher"),
        TrialName(5, "teacher"),
        TrialName(5, "concord_no_masks"),
    ]


def test_what_other_methods_are_told_is_no_part_of_a_cell(repository: Path) -> None:
    documents = ParameterOverlay(repository / "params.yaml", "evidence")

    def told(method: str, **changes: object) -> object:
        command = ("components.distill", "--method", method)
        return stage_key(StageGraph(), command, documents, [changes])["parameters"]

    plain = told("disoptnet")
    assert told("disoptnet", methods={"concord": {"soft": 7.0, "lr": 0.5}}) == plain
    assert told("disoptnet", distill={"methods": ["none"]}) == plain
    assert told("disoptnet", methods={"disoptnet": {"lr": 0.5}}) != plain
    assert told("disoptnet", methods={"disoptnet": {"soft_ramp": 0.9}}) != plain
    assert told("disoptnet", distill={"epochs": 99}) != plain
    assert told("concord", methods={"concord": {"soft": 7.0}}) != told("concord")


def test_the_budget_is_the_same_for_every_seed_and_another_for_another_budget(
    repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    document = yaml.safe_load((repository / "params.yaml").read_text())

    def budget(**training: object) -> str:
        path.write_text(yaml.safe_dump({**document, "training": {**document["training"], **training}}))
        return ParameterOverlay(path, "evidence").budget_hash()

    before = budget()
    assert budget(seed=99) == before == budget(checkpoint_every=7)
    assert budget(weight_decay=0.123) != before


@pytest.mark.parametrize("profile", ["evidence", "evidence-gpu"])
def test_teacher_and_students_have_one_budget(repository: Path, profile: str) -> None:
    documents = ParameterOverlay(repository / "params.yaml", profile)
    told = documents.sections(SECTIONS)
    for key in ("epochs", "crops_per_tile"):
        assert told["optical"][key] == told["distill"][key]
    assert told["optical"].get("batch") is None, "the batch of the students"
    twice = documents.sections(SECTIONS, documents.budget_times(2))["distill"]
    assert twice == {**told["distill"], "epochs": 2 * told["distill"]["epochs"]}
    assert documents.budget_times(1) == {}


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
    assert sections(graph.stage(("components.download",))) == {"world", "acquisitions", "download"}
    with pytest.raises(ParameterError, match="no stage that runs"):
        graph.stage(("components.distill",))
    for method in GRID:
        assert method.command is None or graph.stage(method.command).deps, method.name
    parameters = ParameterOverlay(repository / "params.yaml", "evidence")
    commands = [("components.adapt",), ("components.distill", "--method", "concord")]
    commands += [("components.distill", "--method", "hfd_reading"), ("components.prepare",)]
    assert len({stage_key(graph, command, parameters)["code"] for command in commands}) == 4
