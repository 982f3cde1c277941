from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError
from components.report.curves import training_curves
from components.report.plots import make_plots
from tests.evaluate.finished import Finished
from tests.pages import foreign_resources, links


@pytest.fixture
def reports(finished: Finished, tmp_path: Path) -> Path:
    shutil.copytree(finished.report.reports, tmp_path / "reports")
    return tmp_path / "reports"


def test_the_page_holds_every_curve_and_slice_and_needs_no_network(reports: Path) -> None:
    page = make_plots(reports)
    text = page.read_text()
    assert foreign_resources(text) == []
    assert "<script" not in text
    assert "Simulated." in text
    for picture in ("curves/1.png", "curves/2.png", "slices/1.png", "slices/2.png"):
        assert f'src="{picture}"' in text
        assert (page.parent / picture).stat().st_size > 1000
    assert "SAR-only control" in text
    assert "../evaluate/report/index.html" in links(text)


def test_change_trainings_are_drawn_behind_those_of_building_models(reports: Path) -> None:
    shown = make_plots(reports).read_text().count('src="curves/')
    curve = reports / "change" / "sgsln" / "curve.csv"
    curve.parent.mkdir(parents=True)
    curve.write_text("step,lr,loss,dice,bce,auxiliary\n10,0.1,1.5,0.6,0.5,0.4\n20,0.1,1.2,0.5,0.4,0.3\n")
    page = make_plots(reports)
    assert f'src="curves/{shown + 1}.png"' in page.read_text()
    assert (
        "Loss against the step, Change between two dates (sgsln): loss, dice, bce, auxiliary"
        in page.read_text()
    )


def test_drawn_again_it_replaces_what_was_there(reports: Path) -> None:
    (reports / "plots").mkdir()
    (reports / "plots" / "index.html").write_text('<script src="https://cdn.jsdelivr.net/npm/vega"></script>')
    (reports / "plots" / "left.txt").write_text("")
    make_plots(reports)
    assert not (reports / "plots" / "left.txt").exists()


def test_before_any_evaluation_it_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"results\.json") as caught:
        make_plots(tmp_path)
    assert "dvc repro evaluate" in caught.value.next_step


def test_a_curve_cut_off_at_its_start_is_skipped(reports: Path) -> None:
    before = [training for training, _ in training_curves(reports)]
    for name, content in {"empty": "", "killed": "step,loss\n"}.items():
        (reports / "distill" / name).mkdir(parents=True)
        (reports / "distill" / name / "curve.csv").write_text(content)
    assert [training for training, _ in training_curves(reports)] == before


@pytest.mark.parametrize("content", [b"step,loss\n1,high\n", b"\xff\xfe\x00", b'step,loss\n1,"2\n3,4,5,6\n'])
def test_a_damaged_curve_is_named(reports: Path, content: bytes) -> None:
    damaged = reports / "distill" / "damaged" / "curve.csv"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(content)
    with pytest.raises(BadDataError, match="damaged"):
        make_plots(reports)
    assert not (reports / "plots").exists()


def test_the_command_draws_it(reports: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "components.report", "plots"],
        cwd=reports.parent,
        env={"PYTHONPATH": str(repository), "PATH": "/usr/bin:/bin", "HOME": str(reports.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (reports / "plots" / "index.html").is_file()
