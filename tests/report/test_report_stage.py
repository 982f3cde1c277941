from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.config.loader import load_parameters
from components.lib.evaluation.names import model_title
from components.lib.evaluation.results import read_evaluation
from components.report.parameters import ReportParameters
from components.report.stage import ReportPaths, make_report
from components.report.tiles import rank_title
from tests.evaluate.finished import Finished
from tests.pages import foreign_resources, links


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> ReportPaths:
    """The scores and curves alone: no store, no model, no report yet."""
    shutil.copytree(finished.report.reports, tmp_path / "reports")
    paths = ReportPaths(reports=tmp_path / "reports")
    shutil.rmtree(paths.out)
    return paths


def test_the_report_shows_every_table_tile_and_curve(finished: Finished) -> None:
    folder = finished.report.out
    page = (folder / "index.html").read_text()
    assert "Simulated." in page
    for result in read_evaluation(finished.out / "results.json").results:
        assert re.search(rf'<th scope="row">{re.escape(model_title(result.model))}<', page), result.model
    assert '<th scope="row">none<' not in page
    assert foreign_resources(page) == []
    assert {"../../validate/docs/index.html", "../../promote/decision.txt"} <= set(links(page))
    pictures = set(re.findall(r'src="([^"]+)"', page))
    assert all((folder / name).is_file() for name in pictures)
    # Three clean tiles hold buildings: 8 panels each, and 6 on the target (no optical, two models).
    assert len([name for name in pictures if name.startswith("tiles/1-")]) == 3 * 8
    assert len([name for name in pictures if name.startswith("tiles/2-")]) == 3 * 6
    assert {"curves/1.png", "curves/2.png"} <= pictures
    for heading in ("Worst", "Median", "Best"):
        assert heading in page
    with Image.open(folder / "overview.png") as image:
        assert image.width > 4 * image.height


def test_provenance_names_data_parameters_and_weights(finished: Finished) -> None:
    page = (finished.report.out / "index.html").read_text()
    signature = json.loads((finished.paths.models / "sar/disoptnet/model.json").read_text())
    assert signature["weights_sha256"] in page
    for term in (
        "Parameters of the scoring (SHA-256)",
        "Data (SHA-256)",
        "Code of the scoring (SHA-256)",
        "torch",
    ):
        assert term in page


def test_the_same_scores_give_the_same_bytes(finished: Finished, copied: ReportPaths) -> None:
    make_report(ReportParameters(), copied)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (finished.report.out, copied.out)
    )
    assert first == second


def test_the_size_of_the_pictures_is_a_parameter(copied: ReportPaths) -> None:
    make_report(ReportParameters(picture_px=64), copied)
    for path in (copied.out / "tiles").iterdir():
        with Image.open(path) as image:
            assert max(image.size) == 64


@pytest.mark.parametrize("gone", ["results.json", "examples/examples.json"])
def test_missing_scores_name_the_stage_that_makes_them(copied: ReportPaths, gone: str) -> None:
    (copied.evaluation / gone).unlink()
    with pytest.raises(MissingInputError, match=gone) as caught:
        make_report(ReportParameters(), copied)
    assert "dvc repro evaluate" in caught.value.next_step
    assert not copied.out.exists()


def test_scores_of_another_version_are_refused(copied: ReportPaths) -> None:
    path = copied.evaluation / "results.json"
    document = json.loads(path.read_text())
    del document["results"][0]["f1"]
    path.write_text(json.dumps(document))
    with pytest.raises(BadDataError, match=r"results\.0\.f1: Field required"):
        make_report(ReportParameters(), copied)


@pytest.mark.parametrize("damage", ["unlink", "cut"])
def test_damaged_examples_are_refused(copied: ReportPaths, damage: str) -> None:
    arrays = copied.evaluation / "examples/1-01.npz"
    if damage == "unlink":
        arrays.unlink()
    else:
        arrays.write_bytes(arrays.read_bytes()[:100])
    with pytest.raises(BadDataError, match="examples"):
        make_report(ReportParameters(), copied)


def test_headings_follow_the_rank() -> None:
    titles = [rank_title(rank) for rank in (0.0, 0.25, 0.5, 1.0)]
    assert titles == ["Worst", "Percentile 25", "Median", "Best"]


def test_drawing_needs_neither_torch_nor_a_model(repository: Path) -> None:
    code = (
        "import sys, components.report.__main__, components.report.stage;"
        "print(*(m for m in sys.modules if m == 'torch' or m.startswith("
        "('components.lib.nets', 'components.lib.engine', 'components.lib.scoring', 'components.evaluate'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_a_typo_names_the_nearest_key(repository: Path, tmp_path: Path) -> None:
    document = yaml.safe_load((repository / "params.yaml").read_text())
    assert load_parameters("report", ReportParameters, repository / "params.yaml") == ReportParameters()
    document["report"]["pictures_px"] = document["report"].pop("picture_px")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ParameterError, match="'picture_px'"):
        load_parameters("report", ReportParameters, tmp_path / "params.yaml")
