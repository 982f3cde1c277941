"""A store of pairs is written whole or not at all, the same bytes each time, and read back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.change.pair import Pair
from components.lib.change.store.layout import BUILDINGS_FILE, INDEX_FILE, STORE_FILE, layer_path
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import pair_writer, write_pairs
from components.lib.change.terms import CHANGED, UNKNOWN
from tests.lib.change.pairs import PLACE, facts, image, make_pair

PAIRS = [
    make_pair("large", size=(20, 40), seed=1, modalities=("optical", "sar")),
    make_pair("small", "val", size=(10, 16), seed=2, changed=None, modalities=("optical", "sar"), place=None),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "pairs", PAIRS, facts())
    return tmp_path / "pairs"


def test_pairs_are_read_back_as_they_were(folder: Path) -> None:
    store = PairStore.open(folder)
    assert store.facts == facts()
    assert store.names("train") == ["large"]
    assert store.names("val") == ["small"]
    assert len(store.rows("test")) == 0
    for pair in PAIRS:
        for modality in ("optical", "sar"):
            np.testing.assert_array_equal(store.whole(f"before_{modality}", pair.name), pair.before[modality])
            np.testing.assert_array_equal(store.whole(f"after_{modality}", pair.name), pair.after[modality])
        np.testing.assert_array_equal(store.whole("label", pair.name)[..., 0], pair.label)
    assert list(store.buildings["name"]) == ["large", "small"]
    assert store.buildings["wkt_px"][0] == "POLYGON ((8 4, 8 8, 4 8, 4 4, 8 4))"


def test_tiles_are_padded_with_no_data_and_know_their_place(folder: Path) -> None:
    store = PairStore.open(folder)
    index = store.index
    assert len(index) == 2 * 3 + 1  # 20 x 40 in tiles of 16, and one
    assert index[["x_px", "y_px", "height", "width"]].values.tolist()[5] == [32, 16, 4, 8]
    assert (store.layer("label")[5, 4:] == UNKNOWN).all()
    assert (store.layer("before_sar")[5, :, 8:] == 0).all()
    assert index["known_share"][5] == 4 * 8 / 256
    assert index["changed_share"].tolist() == [16 / 256, 0, 0, 0, 0, 0, 0]
    place = store.place(5)
    assert place is not None
    assert place == PLACE._replace(c=PLACE.c + 32 * 0.5, f=PLACE.f - 16 * 0.5)
    assert store.place(6) is None
    assert index["crs"].tolist() == ["EPSG:32631"] * 6 + [""]


def test_the_same_pairs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_pairs(tmp_path / "again", PAIRS, facts())
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) == 3 + 5
    for name in files:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_failure_leaves_the_store_that_was_there(folder: Path) -> None:
    before = (folder / INDEX_FILE).read_bytes()
    with pytest.raises(BadDataError, match="two pairs are named large"):
        write_pairs(folder, [*PAIRS, PAIRS[0]], facts())
    assert (folder / INDEX_FILE).read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["pairs"]


def test_a_refused_pair_leaves_no_trace_in_what_follows(tmp_path: Path) -> None:
    good = make_pair("good")
    with pair_writer(tmp_path / "pairs", facts()) as writer:
        writer.add(make_pair("first"))
        with pytest.raises(BadDataError):
            writer.add(replace(good, label=np.full((32, 32), 7, np.uint8)))
        writer.add(good)
    assert PairStore.open(tmp_path / "pairs").names("train") == ["first", "good"]


BAD: list[tuple[Callable[[Pair], Pair], str]] = [
    (lambda p: replace(p, label=p.label[:-1]), r"optical before has shape \(32, 32, 3\)"),
    (lambda p: replace(p, after={"optical": image(0, (16, 32), "optical")}), "optical after has shape"),
    (lambda p: replace(p, after={}), "no image after"),
    (lambda p: replace(p, before={"optical": p.before["optical"].astype(np.uint16)}), "is uint16"),
    (lambda p: replace(p, label=p.label + 1), r"values \[1, 2\]"),
    (lambda p: replace(p, label=p.label[0]), "its label has shape"),
    (lambda p: replace(p, split=cast("Any", "valid")), "split 'valid' is none of train, val, test"),
    (lambda p: replace(p, name="other"), "two pairs are named|in split val"),
    (lambda p: make_pair("sar", modalities=("sar",)), "has after_sar, before_sar, label"),
    (lambda p: replace(p, name="new", scene="other", split="val"), "scene other is in split val"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_malformed_pair_is_refused_by_name(
    change: Callable[[Pair], Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadDataError, match=message) as raised:
        write_pairs(tmp_path / "pairs", [make_pair("other"), change(make_pair("new"))], facts())
    assert raised.value.message.startswith(("pair ", "two pairs"))
    assert not (tmp_path / "pairs").exists()


def test_a_data_set_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="tiny has no usable pair"):
        write_pairs(tmp_path / "pairs", [], facts())


def edit(name: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        index = pd.read_parquet(folder / INDEX_FILE)
        index[name] = value
        index.to_parquet(folder / INDEX_FILE, index=False)

    return change


def edit_facts(name: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        found = json.loads((folder / STORE_FILE).read_text())
        found[name] = value
        (folder / STORE_FILE).write_text(json.dumps(found))

    return change


DAMAGE: list[Callable[[Path], Any]] = [
    edit("row", 0),
    edit("split", "valid"),
    edit("split", None),
    edit("x_px", -1),
    edit("height", 17),
    edit("changed_share", 1.5),
    edit("known_share", float("nan")),
    edit("name", 3),
    edit_facts("tile_px", 8),
    edit_facts("tile_px", True),
    edit_facts("licence", None),
    edit_facts("more", 1),
    lambda folder: (folder / STORE_FILE).write_text("[]"),
    lambda folder: (folder / INDEX_FILE).write_text("no table"),
    lambda folder: (folder / BUILDINGS_FILE).write_text("no table"),
    lambda folder: layer_path(folder, "label").write_text("no array"),
    lambda folder: np.save(layer_path(folder, "label"), np.zeros((7, 16, 16, 1), np.float32)),
    lambda folder: np.save(layer_path(folder, "label"), np.zeros((6, 16, 16, 1), np.uint8)),
    lambda folder: layer_path(folder, "before_sar").open("ab").write(b"x"),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_refused_when_it_is_opened(folder: Path, damage: Callable[[Path], Any]) -> None:
    damage(folder)
    with pytest.raises(BadDataError, match="damaged"):
        PairStore.open(folder)


@pytest.mark.parametrize("part", [STORE_FILE, INDEX_FILE, BUILDINGS_FILE, "layers/label.npy"])
def test_a_missing_part_names_the_stage(folder: Path, part: str) -> None:
    (folder / part).unlink()
    with pytest.raises(MissingInputError, match="dvc repro"):
        PairStore.open(folder)


def test_unknown_names_are_refused(folder: Path, tmp_path: Path) -> None:
    store = PairStore.open(folder)
    with pytest.raises(ParameterError, match="unknown split"):
        store.rows("valid")
    with pytest.raises(ParameterError, match="unknown layer"):
        store.layer("before")
    with pytest.raises(ParameterError, match="no pair 'other'"):
        store.whole("label", "other")
    write_pairs(tmp_path / "optical", [make_pair()], facts())
    with pytest.raises(MissingInputError, match="no layer 'after_sar'"):
        PairStore.open(tmp_path / "optical").layer("after_sar")


def test_layers_are_mapped_read_only(folder: Path) -> None:
    layer = PairStore.open(folder).layer("label")
    assert not layer.flags.writeable
    assert set(np.unique(layer)) == {0, CHANGED, UNKNOWN}
