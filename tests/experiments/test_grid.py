from __future__ import annotations

from pathlib import Path

import pytest

from components.adapt.parameters import AdaptParameters
from components.contract.errors import ParameterError
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
from components.experiments.parameters import ParameterOverlay
from components.lib.engine.parameters import TrainingParameters
from components.lib.methods.registry import load_method
from components.optical.parameters import OpticalParameters
from components.prepare.parameters import PrepareParameters


@pytest.mark.parametrize("profile", ["evidence", "evidence-gpu"])
def test_the_stages_accept_the_parameters_of_every_row(repository: Path, profile: str) -> None:
    parameters = ParameterOverlay(repository / "params.yaml", profile)
    seen = set()
    for method in GRID:
        longer, seed = parameters.budget_times(method.times), {"training": {"seed": 3}}
        sections = parameters.sections(SECTIONS, method.overrides, longer, seed)
        assert TrainingParameters.model_validate(sections["training"]).seed == 3
        OpticalParameters.model_validate(sections["optical"])
        DistillParameters.model_validate(sections["distill"])
        adapt = AdaptParameters.model_validate(sections["adapt"])
        if method.group == "target" and method.command:
            assert adapt.target is not None
            assert any(link.name == f"sar/{adapt.start_from}" for link in method.links)
        if method.command and method.command[0] == "components.distill":
            name = method.command[2]
            load_method(name).parameters.model_validate(sections["methods"][name])
        seen.add(repr((sections, method.command, method.world, method.network, method.links)))
    assert len(seen) == len(GRID), "two rows are the same training"
    for overrides in WORLDS.values():
        PrepareParameters.model_validate(parameters.sections(["prepare"], overrides)["prepare"])


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


def test_statistics_and_input_moments_have_rows_of_their_own(repository: Path) -> None:
    parameters = ParameterOverlay(repository / "params.yaml", "evidence")
    rows = {}
    for method in GRID:
        if method.command == ("components.adapt",):
            adapt = AdaptParameters.model_validate(parameters.sections(SECTIONS, method.overrides)["adapt"])
            rows[adapt.labels, adapt.normalisation, adapt.inputs, adapt.stems] = method.name
    assert rows == {
        ("none", "shared", "per_sensor", "shared"): "moments_only",
        ("none", "per_sensor", "shared", "shared"): "csn_only",
        ("none", "per_sensor", "per_sensor", "shared"): "csn_moments",
        ("pseudo", "shared", "shared", "shared"): "self_training",
        ("pseudo", "per_sensor", "per_sensor", "shared"): "csn_self_training",
        ("pseudo", "per_sensor", "per_sensor", "per_sensor"): "csn_self_training_stems",
        ("truth", "per_sensor", "per_sensor", "shared"): "oracle",
    }


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


@pytest.mark.parametrize("profile", ["evidence", "evidence-gpu"])
def test_teacher_and_students_have_one_budget(repository: Path, profile: str) -> None:
    parameters = ParameterOverlay(repository / "params.yaml", profile)
    sections = parameters.sections(SECTIONS)
    for key in ("epochs", "crops_per_tile"):
        assert sections["optical"][key] == sections["distill"][key]
    assert sections["optical"].get("batch") is None, "the batch of the students"
    twice = parameters.sections(SECTIONS, parameters.budget_times(2))["distill"]
    assert twice == {**sections["distill"], "epochs": 2 * sections["distill"]["epochs"]}
    assert parameters.budget_times(1) == {}
