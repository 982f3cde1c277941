"""Score tables with several ground blocks per tile."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from components.lib.config.scoring import ScoringSettings
from components.lib.metrics.counts import mean_hard_dice
from components.lib.scoring.blocks import block_names
from components.lib.scoring.score import Scores, score_model
from components.lib.scoring.slices import slice_tables
from components.lib.scoring.tables import tile_count
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, Pointwise, boxes_of, write_tiny_store

WHOLE = ScoringSettings(block_m=6000.0)
BLOCKS = ScoringSettings(block_m=20.0)
COUNTS = ["px_tp", "px_fp", "px_fn", "px_tn", "px_tp_half", "px_fp_half", "px_fn_half", "tp", "fp", "fn"]


class Shifted(Pointwise):
    """The truth moved by six columns: the small buildings do not match."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.roll(x, 6, dims=-1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_tiny_store(tmp_path_factory.mktemp("blocks") / "prepared", tiles=8, nodata_rows=30)


def score(store: Store, settings: ScoringSettings, net: Pointwise | None = None) -> Scores:
    return score_model(net or Shifted(), store, sensor=AIRBORNE, rows=range(6), settings=settings)


@pytest.fixture(scope="module")
def cut(store: Store) -> Scores:
    return score(store, BLOCKS)


def test_the_blocks_of_a_tile_add_up_to_the_tile(store: Store, cut: Scores) -> None:
    whole = score(store, WHOLE).tiles.set_index("image_id")
    assert len(whole) == 6
    assert len(cut.tiles) > 4 * len(whole)
    pd.testing.assert_frame_equal(cut.tiles.groupby("image_id")[COUNTS].sum(), whole[COUNTS].sort_index())
    assert not cut.tiles.duplicated(["acquisition", "image_id", "location"]).any()


@pytest.mark.parametrize("row", [0, 1])
def test_pixels_and_buildings_count_where_they_lie_on_the_ground(store: Store, row: int) -> None:
    """Tile 0 is stored as it is, tile 1 turned: both count a building in the block of its centroid."""
    scores = score_model(Pointwise(), store, sensor=AIRBORNE, rows=[row], settings=BLOCKS)
    place = store.index[store.index["sensor"] == AIRBORNE].set_index("row").loc[row]
    for left, top, right, bottom in boxes_of(row)[:2]:
        x = np.array([place["x_left_m"] + (left + right) / 2 * 0.5])
        y = np.array([place["y_top_m"] - (top + bottom) / 2 * 0.5])
        (block,) = block_names(x, y, 20.0)
        own = scores.tiles[scores.tiles["location"] == block]
        assert own["tp"].sum() >= 1
        assert own["px_tp"].sum() > 0
        found = scores.objects[scores.objects["location"] == block]
        area = (right - left) * (bottom - top)
        assert set(found.loc[found["area_px"] == area, "kind"]) == {"truth", "proposal"}


def test_buildings_of_a_block_are_those_of_the_table_of_buildings(cut: Scores) -> None:
    objects = cut.objects
    truth, proposals = objects[objects["kind"] == "truth"], objects[objects["kind"] == "proposal"]
    keys = ["image_id", "location"]
    tiles = cut.tiles.set_index(keys)
    true = truth.groupby(keys)["matched"]
    assert (true.sum() == tiles.loc[true.sum().index, "tp"]).all()
    assert (true.size() == tiles.loc[true.size().index, ["tp", "fn"]].sum(axis=1)).all()
    wrong = (~proposals.set_index(keys)["matched"]).groupby(keys).sum()
    assert (wrong == tiles.loc[wrong.index, "fp"]).all()
    assert cut.tiles["fp"].sum() > 0


def test_figures_per_tile_do_not_depend_on_the_blocks(store: Store, cut: Scores) -> None:
    whole = score(store, WHOLE)
    assert tile_count(cut.tiles) == tile_count(whole.tiles) == 6
    assert mean_hard_dice(cut.tiles) == pytest.approx(mean_hard_dice(whole.tiles))
    assert cut.clean().tiles["image_id"].nunique() == 4
    assert len(cut.clean().objects) == len(whole.clean().objects), "no building is counted twice"
    assert cut.clean().histogram().counts(0.5).tp == cut.clean().tiles["px_tp"].sum()


def test_slices_of_cut_tiles_add_up(cut: Scores) -> None:
    for parts in slice_tables(cut).values():
        total = pd.concat(parts.values())[["tp", "fp", "fn"]].sum()
        pd.testing.assert_series_equal(total, cut.tiles[["tp", "fp", "fn"]].sum())
