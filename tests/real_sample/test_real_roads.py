"""A tile of SpaceNet 3 from its files to graphs and scores, and OpenStreetMap against the truth of others.

The network is trained for a few steps on the tile that it predicts, so that its scores have no meaning.
``make real-sample`` keeps sheet, scores and graphs under ``reports/real-sample-roads``.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.real_sample.road_sample import STEPS, Compared, Sample, compare_osm, run_tile
from tests.real_sample.road_sheet import draw_sheet

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def roads_vegas(real_data: Path) -> Path:
    folder = real_data / "roads_vegas"
    if not folder.is_dir():
        pytest.skip("the sample files of roads (../shared/data/roads_vegas) are not on this machine")
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of sheet, scores and graphs: that of ``make real-sample`` where it asks for them."""
    kept = os.environ.get("STORMSIGHT_REAL_SAMPLE")
    folder = tmp_path_factory.mktemp("roads") if kept is None else Path(f"{kept}-roads")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def sample(roads_vegas: Path, results: Path) -> Sample:
    return run_tile(roads_vegas, results)


@pytest.fixture(scope="module")
def osm(roads_vegas: Path) -> list[Compared]:
    return compare_osm(roads_vegas)


def test_the_tile_is_read_onto_square_metres(sample: Sample) -> None:
    image = sample.tile.image
    assert (sample.tile.image_id, image.crs) == ("AOI_2_Vegas_img0", "EPSG:32611")
    height, width = image.shape
    # 1,300 pixels of 0.300 m from north to south, of 0.243 m from west to east.
    assert (height * 0.3, width * 0.3) == pytest.approx((1300 * 0.300, 1300 * 0.243), rel=0.03)
    assert image.valid.mean() > 0.95
    assert len(sample.tile.roads.lines) == 38
    assert sample.tile.roads.dropped == 0
    assert np.isfinite([line.width_m for line in sample.tile.roads.lines]).all()


def test_labels_cover_the_ground_of_their_lines(sample: Sample) -> None:
    road, centre, ignore = np.moveaxis(sample.masks > 0, -1, 0)
    length_m = sum(line.line.length for line in sample.tile.roads.lines)
    assert road.sum() * 0.3**2 == pytest.approx(4.0 * length_m, rel=0.1)
    assert (centre & ~road).sum() == 0
    assert not ignore.any()


def test_a_few_steps_are_trained_and_predicted(sample: Sample) -> None:
    assert len(sample.losses) == STEPS // 2
    assert np.isfinite(sample.losses).all()
    assert sample.losses[-1] < sample.losses[0]
    assert 0.0 < sample.predicted.mean() < 0.2
    assert not sample.predicted[~sample.tile.image.valid].any()
    assert 0.0 < sample.scores["predicted_pixels"]["length"]["recall"] <= 1.0


def test_the_traced_label_is_the_truth(sample: Sample) -> None:
    found = sample.scores["traced_truth"]
    assert found["java"]["apls"] > 0.97
    assert found["cosmiq"]["apls"] > 0.97
    assert found["relaxed"]["length"]["f1"] > 0.99
    assert found["truth_repairs"] == {"repeated_section": 1}
    assert sample.scores["traced_prediction"]["java"]["apls"] < found["java"]["apls"]


def test_openstreetmap_scores_as_known(roads_vegas: Path, osm: list[Compared]) -> None:
    with (roads_vegas / "apls_cosmiq_osm_as_proposal.csv").open() as table:
        known = {row["outroot"]: float(row["APLS"]) for row in csv.DictReader(table)}
    assert [tile.image_id for tile in osm] == sorted(known)
    for tile in osm:
        assert tile.scores["cosmiq"]["apls"] == pytest.approx(known[tile.image_id], abs=0.02)
        recall = tile.both.length / (tile.both.length + tile.only_truth.length)
        assert recall == pytest.approx(tile.scores["relaxed"]["length"]["recall"], abs=0.005)


def test_the_sheet_shows_every_panel(sample: Sample, osm: list[Compared], results: Path) -> None:
    draw_sheet(results / "sheet.png", sample, osm)
    write_scores(results / "scores.json", sample, osm)
    with Image.open(results / "sheet.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    height, width = pixels.shape
    for panel in np.array_split(pixels[: height // 2], 4, axis=1):
        assert panel.std() > 20, "a picture, not one grey"
    for panel in np.array_split(pixels[height * 2 // 3 : height * 9 // 10], len(osm), axis=1):
        assert 0.002 < (panel < 200).mean() < 0.5, "lines on white"
    assert width > height
    written = json.loads((results / "scores.json").read_text())
    assert written["osm"]["AOI_2_Vegas_img99"]["java"]["apls"] == osm[0].scores["java"]["apls"]


def write_scores(path: Path, sample: Sample, osm: list[Compared]) -> None:
    document: dict[str, Any] = {
        "about": f"predictions after {STEPS} steps on the very tile: they show that the path works, no more",
        "tile": {"image_id": sample.tile.image_id, "steps": STEPS, "losses": sample.losses, **sample.scores},
        "osm": {
            tile.image_id: {
                **tile.scores,
                "both_m": tile.both.length,
                "only_truth_m": tile.only_truth.length,
                "only_osm_m": tile.only_osm.length,
            }
            for tile in osm
        },
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
