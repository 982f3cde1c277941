"""Damaged stores are refused when they are opened, by the name of the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError
from components.lib.store.layout import FOOTPRINTS_FILE, INDEX_FILE, PARTITIONS_FILE, footprints_path
from components.lib.store.store import Store
from components.lib.store.validation import checked_index
from tests.lib.store.tiny_store import OTHER, SENSOR, SIDE, array_path, tiny_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store, _ = tiny_store(tmp_path)
    return store.folder


def set_column(folder: Path, name: str, value: Any) -> None:
    index = pd.read_parquet(folder / INDEX_FILE)
    index[name] = value
    index.to_parquet(folder / INDEX_FILE, index=False)


COLUMNS: list[tuple[str, object]] = [
    ("row", -1),
    ("row", 4),
    ("row", 0),
    ("position", -1),
    ("position", 4),
    ("position", 0),
    ("row", "text"),
    ("row", 0.5),
    ("row", None),
    ("split", "valid"),
    ("split", 3),
    ("sensor", "../../outside"),
    ("sensor", None),
    ("orientation", 2),
    ("height", SIDE + 1),
    ("height", 0),
    ("width", -5),
    ("gsd_m", 0.0),
    ("gsd_m", float("nan")),
    ("gsd_m", float("inf")),
    ("x_left_m", float("nan")),
    ("y_top_m", float("inf")),
    ("nodata_share", 2.0),
    ("clean", "no"),
    ("image_id", None),
    ("has_optical", 1.5),
]


@pytest.mark.parametrize(("name", "value"), COLUMNS)
def test_a_damaged_column_of_the_index_is_refused(folder: Path, name: str, value: object) -> None:
    set_column(folder, name, value)
    with pytest.raises(BadDataError) as caught:
        Store.open(folder)
    assert str(folder) in caught.value.message
    assert any(f"dvc repro --force {stage}" in caught.value.next_step for stage in ("prepare", "split"))


@pytest.mark.parametrize("name", list(pd.Index(["row", "position", "split", "clean", "gsd_m"])))
def test_a_missing_column_is_named(folder: Path, name: str) -> None:
    pd.read_parquet(folder / INDEX_FILE).drop(columns=name).to_parquet(folder / INDEX_FILE)
    with pytest.raises(BadDataError, match=rf"index\.parquet: column '{name}' is missing"):
        Store.open(folder)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_byte_less(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def text(path: Path) -> None:
    path.write_text("row,split\n0,train\n")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [empty, cut, one_byte_less, text, a_folder])
@pytest.mark.parametrize("name", [INDEX_FILE, FOOTPRINTS_FILE])
def test_a_damaged_table_is_refused(folder: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(folder / name if name == INDEX_FILE else footprints_path(folder, "p00"))
    with pytest.raises(BadDataError, match=name):
        Store.open(folder)


def unfinished_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"(", b"((", 1).replace(b" \n", b"\n", 1))


def saved(array: Any) -> Callable[[Path], None]:
    return lambda path: np.save(path, array, allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [
        empty,
        cut,
        one_byte_less,
        longer,
        text,
        a_folder,
        unfinished_header,
        saved(np.zeros((5, SIDE, SIDE, 4), np.uint8)),
        saved(np.zeros((4, SIDE, SIDE, 3), np.uint8)),
        saved(np.zeros((3, SIDE, SIDE, 4), np.uint8)),
        saved(np.zeros((4, SIDE, SIDE), np.uint8)),
        saved(np.zeros((4, SIDE, 8, 4), np.uint8)),
        saved(np.zeros((4, SIDE, SIDE, 4), np.float32)),
        saved(np.zeros((4, SIDE, SIDE, 4), ">u2")),
        saved(np.asfortranarray(np.zeros((4, SIDE, SIDE, 4), np.uint8))),
        saved(np.array([{"a": 1}], object)),
        saved(np.uint8(1)),
    ],
)
@pytest.mark.parametrize("layer", ["sar", "optical"])
def test_a_damaged_array_is_refused(folder: Path, layer: str, damage: Callable[[Path], None]) -> None:
    damage(array_path(folder, SENSOR, layer))
    with pytest.raises(BadDataError, match=rf"{layer}\.npy: ") as caught:
        Store.open(folder)
    assert "dvc repro --force prepare" in caught.value.next_step


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"a": 0}', '{"a": ".."}', '{"a": "x/y"}', '{"b": "p00"}', '{"a": "p07"}']
)
def test_damaged_partitions_are_refused(folder: Path, content: str) -> None:
    (folder / PARTITIONS_FILE).write_text(content)
    with pytest.raises(BadDataError) as caught:
        Store.open(folder)
    assert str(folder) in caught.value.message


def test_optical_that_the_index_promises_must_be_there(folder: Path) -> None:
    index = pd.read_parquet(folder / INDEX_FILE)
    index["has_optical"] = True
    index.to_parquet(folder / INDEX_FILE, index=False)
    with pytest.raises(BadDataError, match=rf"{OTHER}/optical\.npy"):
        Store.open(folder)


def test_a_footprint_that_is_no_polygon_is_told_when_it_is_drawn(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "acquisition": ["a"],
            "sensor": [SENSOR],
            "image_id": ["tile_0"],
            "building_id": [1],
            "wkt_px": ["POLYGON ((0 0, 1"],
            "area_px": [1.0],
            "height_m": [float("nan")],
        }
    )
    store, _ = tiny_store(tmp_path, footprints=table)
    with pytest.raises(BadDataError, match=r"tables: a footprint is no WKT"):
        store.truth("tile_0", SENSOR)


def test_a_hundred_thousand_tiles_are_checked_in_no_time(tmp_path: Path) -> None:
    store, _ = tiny_store(tmp_path)
    count = 100_000
    index = store.index[store.index["sensor"] == SENSOR].iloc[[0] * count].copy()
    index["row"] = index["position"] = np.arange(count, dtype=np.int32)
    index["height"] = index["width"] = 1
    for layer, channels in (("sar", 4), ("optical", 4), ("target", 1)):
        np.save(array_path(store.folder, SENSOR, layer), np.ones((count, 1, 1, channels), np.uint8))
    index.to_parquet(store.folder / INDEX_FILE, index=False)
    begun = time.perf_counter()
    assert len(checked_index(store.folder)[0]) == count
    assert time.perf_counter() - begun < 5
