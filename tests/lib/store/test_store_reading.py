from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from components.contract.errors import MissingInputError, ParameterError
from components.lib.store.layout import INDEX_COLUMNS, LAYERS, create_layer
from components.lib.store.store import Store
from tests.lib.store.tiny_store import OTHER, SENSOR, array_path, mapped, tiny_store


def test_store_reads_back_what_was_written(tmp_path: Path) -> None:
    store, layers = tiny_store(tmp_path)

    assert store.sensors == [SENSOR, OTHER]
    assert list(store.index.columns) == list(INDEX_COLUMNS)
    for layer, channels in LAYERS.items():
        stored = store.layer(SENSOR, layer)
        assert mapped(stored[0]), "a tile is no copy"
        assert stored.shape[-1] == channels
        np.testing.assert_array_equal(stored, layers[SENSOR, layer])


def test_layers_are_mapped_once_and_read_only(tmp_path: Path) -> None:
    store, _ = tiny_store(tmp_path)
    layer = store.layer(SENSOR, "sar")

    assert store.layer(SENSOR, "sar") is layer
    with pytest.raises(ValueError, match="read-only"):
        layer[0][:] = 0


def test_sar_may_be_float16_and_nothing_else_may(tmp_path: Path) -> None:
    store, layers = tiny_store(tmp_path, half=True)
    mapped = store.layer(SENSOR, "sar")

    assert mapped.dtype == np.float16
    np.testing.assert_array_equal(mapped, layers[SENSOR, "sar"])
    with pytest.raises(ParameterError, match=r"layer 'target' of .* is float16, it can be uint8"):
        create_layer(tmp_path, SENSOR, "target", 1, (8, 8), dtype=np.float16)
    np.save(array_path(store.folder, OTHER, "sar"), np.ones((1, 8, 8, 4), np.float32))
    with pytest.raises(ParameterError, match=r"is float32, it can be uint8 or float16"):
        store.layer(OTHER, "sar")


def test_rows_follow_split_and_cleanness(tmp_path: Path) -> None:
    store, _ = tiny_store(
        tmp_path, splits=["test", "train", "test", "buffer"], clean=[True, False, False, False]
    )

    assert store.rows(SENSOR, "train").tolist() == [1]
    assert store.rows(SENSOR, "test").tolist() == [0, 2]
    assert store.rows(SENSOR, "test", clean=True).tolist() == [0]
    assert store.rows(SENSOR, "test", clean=False).tolist() == [2]
    assert store.rows(SENSOR, "selection").tolist() == []


def test_truth_is_in_original_orientation_and_empty_for_an_empty_tile(tmp_path: Path) -> None:
    box = shapely.box(1, 2, 3.125, 4)
    footprints = pd.DataFrame(
        {
            "acquisition": "a", "sensor": SENSOR, "image_id": "tile_0", "building_id": [0, 1],
            "wkt_px": [box.wkt, shapely.box(5, 5, 9, 9).wkt], "area_px": [4.25, 16.0],
            "height_m": [np.nan, 8.0],
        }
    )  # fmt: skip
    store, _ = tiny_store(tmp_path, footprints=footprints)

    assert [p.area for p in store.truth("tile_0", SENSOR)] == [4.25, 16.0]
    assert store.truth("tile_0", SENSOR)[0].equals(box)
    assert store.truth("tile_1", SENSOR) == []
    assert store.truth("tile_0", OTHER) == []


def test_absent_store_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="dvc repro split"):
        Store.open(tmp_path / "absent")


def test_what_the_store_lacks_is_named(tmp_path: Path) -> None:
    store, _ = tiny_store(tmp_path)

    with pytest.raises(MissingInputError, match=f"{OTHER} has no layer 'optical'"):
        store.layer(OTHER, "optical")
    with pytest.raises(ParameterError, match=r"holds no sensor 'sar9'"):
        store.rows("sar9", "train")
    with pytest.raises(ParameterError, match=r"unknown split 'valid'"):
        store.rows(SENSOR, "valid")
    with pytest.raises(ParameterError, match=r"unknown layer '\.\./sar'"):
        store.layer(SENSOR, "../sar")


def test_created_layer_starts_black(tmp_path: Path) -> None:
    layer = create_layer(tmp_path, SENSOR, "target", 2, (5, 6))

    assert layer.shape == (2, 5, 6, 1)
    assert not layer.any()
