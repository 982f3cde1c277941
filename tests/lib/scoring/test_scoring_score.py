from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from components.contract.errors import BadDataError
from components.lib.config.scoring import ScoringSettings
from components.lib.metrics.average_precision import average_precision
from components.lib.metrics.intervals import location_interval
from components.lib.scoring.score import Scores, score_model
from components.lib.scoring.slices import slice_tables
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, Pointwise, write_tiny_store

SETTINGS = ScoringSettings(block_m=600.0)  # every tile in one block


class Shifted(Pointwise):
    """The truth moved by a few columns: every building overlaps, small ones too little to match."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.roll(x, 6, dims=-1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_tiny_store(
        tmp_path_factory.mktemp("world") / "prepared", tiles=8, empty=(2,), nodata_rows=30
    )


@pytest.fixture(scope="module")
def perfect(store: Store) -> Scores:
    return score_model(Pointwise(), store, sensor=AIRBORNE, rows=[0, 2, 3, 4, 5], settings=SETTINGS)


@pytest.fixture(scope="module")
def shifted(store: Store) -> Scores:
    return score_model(
        Shifted(), store, sensor=AIRBORNE, rows=store.rows(AIRBORNE, "test"), settings=SETTINGS
    )


def test_a_perfect_network_scores_one_whatever_the_orientation(perfect: Scores) -> None:
    assert set(perfect.tiles["orientation"]) == {0, 1}
    assert location_interval(perfect.tiles, "f1").value == 1
    assert location_interval(perfect.tiles, "iou").value == 1
    assert perfect.objects["matched"].all()
    assert perfect.objects["iou"].to_numpy() == pytest.approx(1.0)
    proposals = perfect.objects[perfect.objects["kind"] == "proposal"]
    assert average_precision(proposals["confidence"], proposals["matched"], n_truth=12) == 1


def test_forgetting_the_orientation_would_show(store: Store) -> None:
    unturned = store.index.assign(orientation=0)
    blind = Store.open(store.folder)
    blind.__dict__["index"] = unturned
    scores = score_model(Pointwise(), blind, sensor=AIRBORNE, rows=[3], settings=SETTINGS)
    assert int(scores.tiles["tp"].sum()) < 3
    assert location_interval(scores.tiles, "iou").value == 1, "pixels are compared in store orientation"


def test_tiles_and_objects_tell_the_same_story(shifted: Scores) -> None:
    objects = shifted.objects
    for row in shifted.tiles.itertuples():
        own = objects[objects["image_id"] == row.image_id]
        truth, proposals = own[own["kind"] == "truth"], own[own["kind"] == "proposal"]
        assert row.tp == truth["matched"].sum() == proposals["matched"].sum()
        assert row.fn == (~truth["matched"]).sum()
        assert row.fp == (~proposals["matched"]).sum()
    assert shifted.tiles["fp"].sum() > 0


def test_pixels_are_counted_where_there_is_data(shifted: Scores) -> None:
    counts = shifted.tiles[["px_tp", "px_fp", "px_fn", "px_tn"]].sum(axis=1)
    valid = (96 * 96 * (1 - shifted.tiles["nodata_share"])).round()
    assert (counts == valid).all()
    assert (counts < 96 * 96).any()


def test_a_tile_without_buildings_counts_false_alarms_only(store: Store) -> None:
    scores = score_model(Pointwise(), store, sensor=AIRBORNE, rows=[2], settings=SETTINGS)
    assert scores.tiles[["tp", "fp", "fn", "px_tp", "px_fp", "px_fn"]].to_numpy().sum() == 0
    assert scores.objects.empty
    assert list(scores.objects.columns[:4]) == ["acquisition", "image_id", "sensor", "location"]


def test_no_tiles_is_an_error_that_names_the_sensor(store: Store) -> None:
    with pytest.raises(BadDataError, match=SPACEBORNE):
        score_model(Pointwise(), store, sensor=SPACEBORNE, rows=[], settings=SETTINGS)


@pytest.mark.parametrize("dimension", ["orientation", "building_size", "nodata", "sensor"])
def test_slices_add_up_to_the_whole(shifted: Scores, dimension: str) -> None:
    parts = slice_tables(shifted)[dimension]
    assert parts
    counts = ["tp", "fp", "fn"]
    if dimension != "building_size":
        counts += ["px_tp", "px_fp", "px_fn", "px_tn"]
    total = pd.concat(parts.values())[counts].sum()
    pd.testing.assert_series_equal(total, shifted.tiles[counts].sum())


def test_size_slices_tell_small_from_large(shifted: Scores) -> None:
    recall = {
        name: location_interval(part, "recall").value
        for name, part in slice_tables(shifted)["building_size"].items()
    }
    assert recall["small"] < recall["large"] == 1


def test_size_slices_keep_every_tile_so_that_models_pair_up(perfect: Scores) -> None:
    for part in slice_tables(perfect)["building_size"].values():
        assert list(part["image_id"]) == list(perfect.tiles["image_id"])


def test_rows_are_scored_in_the_order_given(store: Store) -> None:
    scores = score_model(Pointwise(), store, sensor=AIRBORNE, rows=np.array([4, 0]), settings=SETTINGS)
    assert [name.rsplit("_", 1)[1] for name in scores.tiles["image_id"]] == ["4", "0"]
