"""Mistakes of two-stage training, named before the first stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.check.findings import Findings
from components.check.parameters import check_sections
from components.contract.parameters import merged, resolve
from tests.parameter_documents import document

PARAMS = Path("params.yaml")
OSM = {
    "tasks": ["buildings"],
    "extract": {"path": "x.geojson", "sha256": "0" * 64, "source": "x", "date": "2019-08-01"},
}
ON = {
    "osm": OSM,
    "pretrain": {"kinds": ["deeplabv3plus"]},
    "optical": {"start": "pretrain"},
}


def found(**changes: Any) -> Findings:
    base = resolve(document())
    findings = Findings()
    given = {name: merged(section, changes.get(name, {})) for name, section in base.items()}
    check_sections(given, PARAMS, findings)
    return findings


def test_two_stages_that_fit_have_no_mistake() -> None:
    findings = found(**ON)
    assert (findings.errors, findings.warnings) == ([], [])


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    (
        {**ON, "osm": {"tasks": []}},
        "pretrain.task: no stage draws masks of buildings",
        "add buildings to osm",
    ),
    ({**ON, "pretrain": {"kinds": []}}, "pretrain.kinds is empty", "set pretrain.kinds to deeplabv3plus"),
    (
        {**ON, "pretrain": {"kinds": ["pp_linknet"]}},
        "deeplabv3plus of optical.kinds is not pre-trained",
        "add deeplabv3plus to pretrain.kinds",
    ),
    (
        {**ON, "pretrain": {"kinds": ["pp_linkent"]}},
        "pretrain.kinds: 'pp_linkent' is none of them",
        "use one",
    ),
    ({**ON, "optical": {"start": "osm"}}, "optical.start: Input should be 'pretrain'", "correct"),
    (
        {**ON, "osm": {**OSM, "tasks": ["roads"]}, "pretrain": {"kinds": ["deeplabv3plus"], "task": "roads"}},
        "pretrain.task: masks of roads, and the clean labels are buildings (prepare.task)",
        "set pretrain.task to buildings",
    ),
    (
        {**ON, "pretrain": {"task": "rivers"}},
        "pretrain.task: Input should be 'buildings' or 'roads'",
        "correct",
    ),
]


@pytest.mark.parametrize(("changes", "words", "step"), MISTAKES)
def test_a_mistake_is_named_with_the_next_step(changes: dict[str, Any], words: str, step: str) -> None:
    errors = found(**changes).errors
    told = [error for error in errors if words in error.message]
    assert len(told) == 1, [str(error) for error in errors]
    assert step in told[0].next_step


def test_teachers_that_nothing_starts_from_are_a_warning() -> None:
    findings = found(**{**ON, "optical": {"start": None}})
    assert findings.errors == []
    assert any("no training starts from them" in warning for warning in findings.warnings)
