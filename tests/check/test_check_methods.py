"""The sections of methods are held against their modules; what passed is not imported again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.check import methods
from components.check.findings import Findings
from components.check.methods import PASSED, check_methods
from components.contract.parameters import read_sections
from tests.conftest import ROOT


def sections(**changes: Any) -> dict[str, Any]:
    return {**read_sections(ROOT / "params.yaml"), **changes}


def errors(root: Path, given: dict[str, Any]) -> str:
    findings = Findings()
    check_methods(given, root, findings)
    return findings.text()


def test_what_passed_is_not_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert errors(tmp_path, sections()) == ""
    assert (tmp_path / PASSED).is_file()

    def imported(name: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(methods, "parameters_of", imported)
    assert errors(tmp_path, sections()) == ""
    with pytest.raises(AssertionError):
        errors(tmp_path, sections(distill={"methods": []}))


def test_a_place_that_cannot_be_written_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / PASSED.parts[0]).write_text("in the way of a folder")
    assert errors(tmp_path, sections()) == ""


def test_a_wrong_section_is_named(tmp_path: Path) -> None:
    base = sections()["methods"]
    wrong = {**base, "disoptnet": {"soft_rampe": 1}, "concord": {"soft": "much"}, "none": None}
    printed = errors(tmp_path, sections(methods=wrong))
    assert "methods.disoptnet.soft_rampe: unknown key; the nearest valid one is 'soft_ramp'" in printed
    assert "methods.concord.soft: " in printed
    assert "methods.none: " in printed
    assert not (tmp_path / PASSED).exists()


def test_an_unknown_encoder_is_named(tmp_path: Path) -> None:
    training = {**sections()["training"], "encoder": "efficientnet-b33"}
    printed = errors(tmp_path, sections(training=training))
    assert "training.encoder: unknown encoder 'efficientnet-b33'; the nearest valid one is" in printed
    assert not (tmp_path / PASSED).exists()


def test_a_method_without_its_teacher_is_named(tmp_path: Path) -> None:
    printed = errors(tmp_path, sections(distill={"methods": ["hfd_reading"]}))
    assert "hfd_reading needs the teacher hfd_reading, which optical.kinds does not list" in printed
    assert "declares none" in errors(tmp_path, sections(optical={"kinds": ["concord"]}))


def test_a_method_of_another_stage_is_named(tmp_path: Path) -> None:
    change = {**sections()["change"], "methods": ["sgsln", "concord"]}
    assert "unknown change method 'concord'" in errors(tmp_path, sections(change=change))
    assert "unknown method 'sgsln'" in errors(tmp_path, sections(distill={"methods": ["sgsln"]}))


def test_an_image_without_torch_says_what_it_cannot_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name, name="torch")

    monkeypatch.setattr(methods, "parameters_of", absent)
    assert "warning: sections of methods are not checked: torch is not installed" in errors(
        tmp_path, sections()
    )
