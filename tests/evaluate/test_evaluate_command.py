from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.contract.errors import MissingInputError, ParameterError
from components.evaluate.__main__ import main
from components.evaluate.parameters import EvaluateParameters
from components.lib.config.loader import load_parameters
from components.lib.config.scoring import ScoringSettings

TRUTH = """ImageId,BuildingId,PolygonWKT_Pix
a,0,"POLYGON ((0 0, 20 0, 20 20, 0 20, 0 0))"
a,1,"POLYGON ((40 40, 60 40, 60 60, 40 60, 40 40))"
"""
PROPOSALS = """ImageId,BuildingId,PolygonWKT_Pix,Confidence
a,0,"POLYGON ((0 0, 20 0, 20 18, 0 18, 0 0))",0.9
a,1,"POLYGON ((80 80, 99 80, 99 99, 80 99, 80 80))",0.5
"""


@pytest.fixture
def csvs(tmp_path: Path) -> list[str]:
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "proposals.csv").write_text(PROPOSALS)
    return ["score", "--truth", str(tmp_path / "truth.csv"), "--proposals", str(tmp_path / "proposals.csv")]


def test_json_has_exactly_the_six_keys(csvs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*csvs, "--json"])
    values = json.loads(capsys.readouterr().out)
    assert list(values) == ["TP", "FP", "FN", "precision", "recall", "F1"]
    assert values == {"TP": 1, "FP": 1, "FN": 1, "precision": 0.5, "recall": 0.5, "F1": 0.5}


def test_lines_for_people(csvs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(csvs)
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert lines == {
        "TP": "1",
        "FP": "1",
        "FN": "1",
        "precision": "0.5000",
        "recall": "0.5000",
        "F1": "0.5000",
    }


def test_thresholds_are_passed_on(csvs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*csvs, "--json", "--iou", "0.95", "--min-area", "500"])
    assert json.loads(capsys.readouterr().out)["TP"] == 0


@pytest.mark.parametrize("level", ["INFO", "ERROR", "CRITICAL"])
def test_doubts_are_told_at_every_log_level(csvs: list[str], level: str, repository: Path) -> None:
    proposals = Path(csvs[4])
    proposals.write_text(PROPOSALS.replace("a,", "b,"))
    command = [sys.executable, "-m", "components.evaluate", *csvs, "--json"]
    environment = {**os.environ, "STORMSIGHT_LOG": level}
    done = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith("warning: the two files share no ImageId")
    assert json.loads(done.stdout)["TP"] == 0


def test_the_published_case(real_data: Path, repository: Path) -> None:
    folder = real_data / "spacenet_f1"
    command = [
        sys.executable,
        "-m",
        "components.evaluate",
        "score",
        "--min-area",
        "20",
        "--iou",
        "0.5",
        "--json",
    ]
    files = ["--truth", str(folder / "vegas_truth.csv"), "--proposals", str(folder / "vegas_preds.csv")]
    done = subprocess.run([*command, *files], cwd=repository, capture_output=True, text=True, check=True)
    values = json.loads(done.stdout)
    expected = json.loads((folder / "expected.json").read_text())
    assert {name: values[name] for name in ("TP", "FP", "FN")} == {"TP": 35, "FP": 2, "FN": 7}
    assert values["F1"] == pytest.approx(expected["F1"], abs=1e-6)


def test_the_scorer_does_not_wait_for_torch(repository: Path) -> None:
    modules = (
        "components.evaluate.__main__, components.lib.config.scoring, components.lib.metrics.spacenet_f1"
    )
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_an_absent_file_is_told_in_words(csvs: list[str]) -> None:
    with pytest.raises(MissingInputError, match=r"nowhere\.csv"):
        main([*csvs[:2], "nowhere.csv", *csvs[3:]])


@pytest.mark.parametrize("profile", ["rehearsal", "smoke", "spacenet6"])
def test_the_section_of_every_profile_is_accepted(repository: Path, tmp_path: Path, profile: str) -> None:
    document = yaml.safe_load((repository / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**document, "profile": profile}))
    load_parameters("evaluate", EvaluateParameters, tmp_path / "params.yaml")
    settings = load_parameters("scoring", ScoringSettings, tmp_path / "params.yaml")
    assert (settings.threshold, settings.min_area_px, settings.iou) == ("model", 80, 0.5)


def test_a_typo_names_the_nearest_key(repository: Path, tmp_path: Path) -> None:
    document = yaml.safe_load((repository / "params.yaml").read_text())
    document["scoring"]["treshold"] = document["scoring"].pop("threshold")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ParameterError, match="'threshold'"):
        load_parameters("scoring", ScoringSettings, tmp_path / "params.yaml")
