"""Mistakes of a profile of roads are named before the first stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.check.findings import Findings
from components.check.methods import check_methods
from components.contract.parameters import read_sections
from tests.check.conftest import Check, edit

TO_ROADS = ("profile: rehearsal\n\n", "profile: roads\n\n")


def test_the_profile_of_roads_is_right(pipeline: Path, check: Check) -> None:
    edit(pipeline, TO_ROADS)
    code, text = check("parameters")
    assert "params.lock was rendered anew for profile roads" in text
    code, text = check("parameters")
    assert (code, text) == (0, "")


TARGET = "{start_from: disoptnet, target: null}\n    scoring: {flip: false"
AIRBORNE = "acquisitions: [rehearsal-airborne]"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("contour_weight: 0.0, checkpoint_every: 5", "checkpoint_every: 5", "training.contour_weight: 0.5"),
        (TARGET, TARGET.replace(", target: null", ""), "adapt.target: "),
        ("tile_px: 256, roads: true}", "tile_px: 256}", "world.roads: false"),
        ("acquisitions: [rehearsal-roads]", AIRBORNE, "rehearsal-airborne has no road labels"),
        ("prepare: {task: roads}", "prepare: {task: rails}", "prepare.task"),
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
