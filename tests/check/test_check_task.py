"""Mistakes of a profile of roads are named before the first stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.check.findings import Findings
from components.check.methods import check_methods
from components.contract.parameters import read_sections
from tests.check.conftest import Check, edit

TO_ROADS = ("profile: rehearsal\n\n", "profile: roads\n\n")


@pytest.mark.parametrize("profile", ["roads", "roads-evidence"])
def test_the_profiles_of_roads_are_right(pipeline: Path, check: Check, profile: str) -> None:
    edit(pipeline, (TO_ROADS[0], f"profile: {profile}\n\n"))
    code, text = check("parameters")
    assert f"params.lock was rendered anew for profile {profile}" in text
    code, text = check("parameters")
    assert (code, text) == (0, "")


TARGET = "{start_from: disoptnet, target: null}\n    scoring: {flip: false"
SMALLEST = "256, roads: true}\n    acquisitions: [rehearsal-roads]"
TASK = "prepare: {task: roads}\n    training: {decoder_channels: 32"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("contour_weight: 0.0, checkpoint_every: 5", "checkpoint_every: 5", "training.contour_weight: 0.5"),
        (TARGET, TARGET.replace(", target: null", ""), "adapt.target: "),
        ("tile_px: 256, roads: true}", "tile_px: 256}", "world.roads: false"),
        (SMALLEST, SMALLEST.replace("-roads", "-airborne"), "rehearsal-airborne has no road labels"),
        (TASK, TASK.replace("roads", "rails"), "prepare.task"),
    ],
)
def test_what_does_not_fit_roads_is_named(
    pipeline: Path, check: Check, old: str, new: str, named: str
) -> None:
    edit(pipeline, TO_ROADS, (old, new))
    code, text = check("parameters")
    assert code == 78
    assert named in text


def test_a_method_that_knows_buildings_alone_is_named(pipeline: Path) -> None:
    edit(pipeline, TO_ROADS, ("{methods: [disoptnet], epochs: 4}", "{methods: [concord], epochs: 4}"))
    findings = Findings()
    check_methods(read_sections(pipeline / "params.yaml"), pipeline, findings)
    assert [error.message for error in findings.errors] == [
        "distill.methods: concord knows no labels of roads (prepare.task)"
    ]
