"""Pixels and polygons without SAR data count for nothing, as in the release, which labels none there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import torch

from components.lib.config.scoring import ScoringSettings
from components.lib.metrics.counts import Counts
from components.lib.scoring.nodata import mostly_hidden, nodata_region
from components.lib.scoring.score import score_model
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, Pointwise, write_tiny_store

SETTINGS = ScoringSettings()


class Everywhere(Pointwise):
    """Building everywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = torch.full_like(x[:, :1].float(), 4.0)
        return torch.cat([-score, score], dim=1)


def store_with(folder: Path, rows: int) -> Store:
    """Tile 1 is stored turned: its first stored rows are the southern ones on the ground."""
    return write_tiny_store(folder / "prepared", tiles=4, nodata_rows=rows)


def test_truth_without_data_is_neither_found_nor_missed(tmp_path: Path) -> None:
    # North-up, rows 56 to 96 have no data: 28 of the 44 rows of the large building.
    scores = score_model(Pointwise(), store_with(tmp_path, 40), sensor=AIRBORNE, rows=[1], settings=SETTINGS)
    assert scores.tiles[["tp", "fp", "fn"]].sum().tolist() == [2, 0, 0]
    assert len(scores.objects) == 4
    pixels = Counts.of_pixels(scores.tiles)
    assert (pixels.fp, pixels.fn) == (0, 0)
    assert pixels.tp + pixels.tn == 56 * 96
    assert scores.histogram().building.sum() == pixels.tp


def test_truth_that_is_mostly_seen_is_scored(tmp_path: Path) -> None:
    # 18 of 44 rows are hidden: the part that is seen matches the whole with an IoU of 26 / 44.
    scores = score_model(Pointwise(), store_with(tmp_path, 30), sensor=AIRBORNE, rows=[1], settings=SETTINGS)
    assert scores.tiles[["tp", "fp", "fn"]].sum().tolist() == [3, 0, 0]


def test_nothing_is_predicted_without_data(tmp_path: Path) -> None:
    scores = score_model(Everywhere(), store_with(tmp_path, 40), sensor=AIRBORNE, rows=[1], settings=SETTINGS)
    pixels = Counts.of_pixels(scores.tiles)
    assert (pixels.tp + pixels.fp, pixels.fn, pixels.tn) == (56 * 96, 0, 0)


@pytest.mark.parametrize(("bottom", "hidden"), [(10, False), (20, False), (21, True), (30, True)])
def test_a_polygon_counts_unless_most_of_it_is_hidden(bottom: int, hidden: bool) -> None:
    valid = np.ones((40, 40), dtype=bool)
    valid[10:] = False
    polygons = np.array([shapely.box(5, 0, 25, bottom)], dtype=object)
    assert mostly_hidden(polygons, nodata_region(valid)).tolist() == [hidden]


def test_a_hole_in_the_hidden_ground_is_seen() -> None:
    valid = np.zeros((40, 40), dtype=bool)
    valid[10:30, 10:30] = True
    polygons = np.array([shapely.box(12, 12, 28, 28), shapely.box(0, 0, 12, 12)], dtype=object)
    assert mostly_hidden(polygons, nodata_region(valid)).tolist() == [False, True]
    assert nodata_region(np.ones((4, 4), dtype=bool)) is None
    assert mostly_hidden(polygons, None).tolist() == [False, False]
