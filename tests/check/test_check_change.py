"""Mistakes in the parameters of the change branch are named with the next step, before its first stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.check.change import check_folders
from components.check.findings import Findings
from components.check.methods import check_methods
from components.check.parameters import check_sections
from components.contract.parameters import merged, resolve
from components.pairs.parameters import PairsParameters
from tests.conftest import ROOT
from tests.parameter_documents import document

PARAMS = ROOT / "params.yaml"
LEVIR = {"data_sets": ["levir-cd"], "folders": {"levir-cd": "data/LEVIR-CD"}}


def sections(**changes: Any) -> dict[str, Any]:
    """The sections under the profile `change`, with some values replaced."""
    base = resolve({**document(), "profile": "change"})
    return {name: merged(base[name], changes.get(name, {})) for name in base}


def found(**changes: Any) -> Findings:
    findings = Findings()
    check_sections(sections(**changes), PARAMS, findings)
    return findings


def of_change(**rules: Any) -> dict[str, Any]:
    return {"promote": {"change": rules}}


def test_the_profile_has_no_mistake_and_says_what_no_gain_can_pass() -> None:
    findings = found()
    assert (findings.errors, findings.warnings) == ([], [])
    unmeasured = {"training_spread": {"f1": None}}
    (warning,) = found(**of_change(**unmeasured)).warnings
    assert warning.startswith(
        "promote.change.training_spread.f1 is null: no gain over the control siamese_unet"
    )
    assert found(**of_change(control=None, **unmeasured)).warnings == []


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    (
        of_change(candidates=["sgsnl"]),
        "candidates: 'sgsnl' is none of change.methods; the nearest",
        "add sgsnl to",
    ),
    (
        of_change(candidates=["exchange_unet"]),
        "candidates: 'exchange_unet' is none of",
        "add exchange_unet to",
    ),
    (
        of_change(control="exchange_unet"),
        "control: 'exchange_unet' is none of",
        "promote.change.control to null",
    ),
    (of_change(candidates=["siamese_unet"]), "'siamese_unet' is a candidate as well", "name another control"),
    (
        {"change": {"methods": ["sgsln"]}},
        "promote.change.control: 'siamese_unet' is none of",
        "to change.methods",
    ),
    ({"change": {"methods": []}}, "promote.change.candidates: 'sgsln' is none of", "remove it from"),
    ({"change": {"methods": ["sgsln", "siamese_unt"]}}, "change.methods: 'siamese_unt'", "use one of"),
    ({"change": {"data_set": "levir-cd"}}, "change.data_set: 'levir-cd' is none of", "add levir-cd to"),
    (
        {"pairs": {"data_sets": []}},
        "'simulated' is none of pairs.data_sets, which is empty",
        "add simulated to",
    ),
    ({"pairs": {"data_sets": ["levir"]}}, "unknown data set 'levir'", "correct"),
    ({"pairs": {"data_sets": ["levir-cd"]}}, "folders names no folder of the data set 'levir-cd'", "correct"),
    ({"change": {"crop": 512}}, "change.crop: 512 exceeds the tiles of simulated, 384 pixels", "at most 384"),
    ({"pairs": {"simulated": {"tile_px": 96}}}, "change.crop: 128 exceeds the tiles", "at least 128"),
    (
        {"pairs": LEVIR, "change": {"data_set": "levir-cd", "after": "sar"}},
        "levir-cd are optical",
        "to optical",
    ),
    ({"change": {"after": "radar"}}, "change.after: Input should be 'optical' or 'sar'", "correct"),
    ({"change": {"preset": "long"}}, "change.preset: Input should be 'head'", "correct"),
    ({"change": {"change_share": 1.5}}, "change.change_share: ", "correct"),
    (
        {"change": {"method": ["sgsln"]}},
        "change.method: unknown key; the nearest valid one is 'methods'",
        "correct",
    ),
]


@pytest.mark.parametrize(("changes", "words", "step"), MISTAKES)
def test_a_mistake_is_named_with_the_next_step(changes: dict[str, Any], words: str, step: str) -> None:
    errors = found(**changes).errors
    told = [error for error in errors if words in error.message]
    assert len(told) == 1, [str(error) for error in errors]
    assert step in told[0].next_step


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pairs": {"leaks": "ignore"}}, "pairs.leaks is ignore: no change model is promoted"),
        (
            {"pairs": {"simulated": {"pairs": 12}}},
            "gives 4 test scenes, fewer than promote.change.min_blocks (15)",
        ),
    ],
)
def test_what_lets_nothing_be_promoted_is_a_warning(changes: dict[str, Any], words: str) -> None:
    findings = found(**changes)
    assert findings.errors == []
    assert [warning for warning in findings.warnings if words in warning]


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"sgsln": {"width": 9}}, "methods.sgsln.width: Input should be 8, 16 or 32"),
        ({"siamese_unet": {"width": 6}}, "methods.siamese_unet.width: Input should be a multiple of 4"),
        (
            {"siamese_unet": {"encoder": "mobilnet_v2"}},
            "methods.siamese_unet.encoder: unknown encoder 'mobilnet_v2'",
        ),
    ],
)
def test_a_network_that_cannot_be_built_is_named(tmp_path: Path, methods: dict[str, Any], words: str) -> None:
    findings = Findings()
    check_methods(sections(methods=methods), tmp_path, findings)
    (error,) = findings.errors
    assert words in error.message
    assert error.next_step


def test_the_folder_of_a_data_set_is_looked_for(tmp_path: Path) -> None:
    findings = Findings()
    check_folders(PairsParameters.model_validate(LEVIR), tmp_path, findings)
    assert findings.exit_code == 66
    assert "the folder data/LEVIR-CD of the data set levir-cd does not exist" in findings.text()
    (tmp_path / "data/LEVIR-CD").mkdir(parents=True)
    check_folders(PairsParameters.model_validate(LEVIR), tmp_path, findings)
    assert len(findings.errors) == 1
