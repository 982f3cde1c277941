"""A layer whose tiles lie in several acquisitions' arrays reads like one array, and copies nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError
from components.lib.store.layout import write_store
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from tests.lib.store.tiny_store import SENSOR, mapped, tiny_store

TILES = 7


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Store, Store]:
    """The same tiles as one acquisition, and as three that take turns."""
    one, layers = tiny_store(tmp_path, splits=["train"] * TILES)
    index = one.index.assign(acquisition=[f"acq-{row % 3}" for row in one.index["row"]])
    write_store(tmp_path / "several", index.drop(columns="position"), pd.DataFrame(), layers)
    return one, Store.open(tmp_path / "several")


@pytest.mark.parametrize(
    "key",
    [
        0, -1, np.int64(5), (2, slice(3, 9), slice(None, None, 4)), slice(1, 6, 2), slice(4, 4), slice(None),
        [3, 0, 3], [6], np.array([5, 1, 1, 4]), np.arange(TILES) % 2 == 0, (slice(2, 4), slice(1, 3), 0),
    ],
)  # fmt: skip
def test_every_choice_of_rows_is_that_of_an_array(pair: tuple[Store, Store], key: Any) -> None:
    one, several = (store.layer(SENSOR, "sar") for store in pair)
    expected = np.asarray(one)[key]
    np.testing.assert_array_equal(one[key], expected)
    np.testing.assert_array_equal(several[key], expected)
    assert several[key].dtype == expected.dtype


def test_the_layer_has_the_shape_and_the_rows_of_an_array(pair: tuple[Store, Store]) -> None:
    one, several = (store.layer(SENSOR, "optical") for store in pair)
    assert several.shape == one.shape == np.asarray(one).shape
    assert len(several) == TILES
    np.testing.assert_array_equal(np.asarray(several), np.asarray(one))
    for row, tile in enumerate(several):
        np.testing.assert_array_equal(tile, one[row])
        assert mapped(tile), "a tile is no copy"
        assert not tile.flags.writeable
    for row in (TILES, -TILES - 1):
        with pytest.raises(IndexError):
            several[row]


def test_crops_do_not_depend_on_the_acquisitions(pair: tuple[Store, Store]) -> None:
    batches = [
        CropSampler(store, SENSOR, store.rows(SENSOR, "train"), crop=16, batch=8, seed=3).batch(1)
        for store in pair
    ]
    for layer, crops in batches[0].items():
        np.testing.assert_array_equal(crops, batches[1][layer])


def test_a_tile_and_its_place_do_not_depend_on_the_acquisitions(pair: tuple[Store, Store]) -> None:
    one, several = pair
    for row in range(TILES):
        np.testing.assert_array_equal(
            one.tile(SENSOR, row, "sar").values, several.tile(SENSOR, row, "sar").values
        )


def test_a_layer_that_one_acquisition_lacks_is_damaged(pair: tuple[Store, Store]) -> None:
    _, several = pair
    path = several.folder / "layers/p00/acq-1" / SENSOR / "target.npy"
    path.unlink()
    with pytest.raises(BadDataError, match=r"acq-1/.*/target\.npy"):
        Store.open(several.folder)
    with pytest.raises(MissingInputError, match="has no layer 'target'"):
        several.layer(SENSOR, "target")


def test_arrays_of_different_formats_are_damaged(pair: tuple[Store, Store]) -> None:
    _, several = pair
    path = several.folder / "layers/p00/acq-1" / SENSOR / "sar.npy"
    np.save(path, np.load(path).astype(np.float16))
    with pytest.raises(BadDataError, match=r"acq-1.*sar\.npy: it holds float16"):
        Store.open(several.folder)
