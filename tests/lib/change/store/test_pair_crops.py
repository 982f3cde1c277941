"""Crops of pairs are a pure function of seed and step, fair to all rows, and hold change when asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.change.store.crops import PairCrops
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import write_pairs
from components.lib.change.terms import CHANGED, UNKNOWN
from tests.lib.change.pairs import facts, make_pair

TILE, ROWS = 32, 9


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PairStore:
    """Nine tiles, of which three have one changed pixel each and one is half unknown."""
    folder = tmp_path_factory.mktemp("crops") / "pairs"
    pairs = []
    for i in range(ROWS):
        pair = make_pair(f"pair{i}", seed=i, changed=slice(20, 21) if i % 3 == 0 else None, buildings=())
        if i == 1:
            pair.label[:, 8:] = UNKNOWN
        pairs.append(pair)
    write_pairs(folder, pairs, facts(tile_px=TILE))
    return PairStore.open(folder)


def crops(store: PairStore, **changes: Any) -> PairCrops:
    values: dict[str, Any] = {"rows": store.rows("train"), "crop": 8, "batch": 3, "seed": 5}
    return PairCrops(store, **(values | changes))


def test_batches_are_the_stored_pixels_of_their_places(store: PairStore) -> None:
    sampler = crops(store)
    batch = sampler.batch(4)
    assert {name: array.shape for name, array in batch.items()} == {
        "before": (3, 8, 8, 3),
        "after": (3, 8, 8, 3),
        "label": (3, 8, 8, 1),
    }
    for i, (row, y, x) in enumerate(sampler.places(4)):
        for name, layer in (("before", "before_optical"), ("after", "after_optical"), ("label", "label")):
            np.testing.assert_array_equal(batch[name][i], store.layer(layer)[row, y : y + 8, x : x + 8])
    assert sampler.batch(5, batch)["before"] is batch["before"]


def test_batches_are_a_pure_function_of_seed_and_step(store: PairStore) -> None:
    forwards, backwards = crops(store, change_share=0.5), crops(store, change_share=0.5)
    seen = [forwards.places(step) for step in range(12)]
    assert seen == [backwards.places(step) for step in reversed(range(12))][::-1]
    assert seen != [crops(store, seed=6, change_share=0.5).places(step) for step in range(12)]


def test_every_row_is_used_once_before_any_is_used_again(store: PairStore) -> None:
    sampler = crops(store)
    for epoch in range(3):
        steps = range(3 * epoch, 3 * epoch + 3)
        assert sorted(place.row for step in steps for place in sampler.places(step)) == list(range(ROWS))


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_the_stated_share_of_crops_is_sure_to_hold_change(store: PairStore, share: float) -> None:
    sampler = crops(store, batch=4, change_share=share)
    for step in range(9):
        labels = sampler.batch(step)["label"]
        assert (labels == CHANGED).any(axis=(1, 2, 3)).sum() >= 4 * share
    if share == 1.0:
        rows = Counter(place.row for step in range(9) for place in sampler.places(step))
        assert rows == {0: 12, 3: 12, 6: 12}


def test_a_crop_around_change_lies_anywhere_around_it(store: PairStore) -> None:
    sampler = crops(store, batch=64, change_share=1.0)
    places = sampler.places(0)
    assert {place.y for place in places} == set(range(13, 21))
    assert {place.x for place in places} == set(range(13, 21))


def test_rows_without_change_give_crops_all_the_same(store: PairStore) -> None:
    rows = np.array([1, 2, 4])
    sampler = crops(store, rows=rows, change_share=1.0)
    assert sorted(place.row for place in sampler.places(0)) == [1, 2, 4]


def test_known_pixels_are_preferred(store: PairStore) -> None:
    sampler = crops(store, rows=np.array([1]), batch=64)
    known = (sampler.batch(0)["label"] != UNKNOWN).mean(axis=(1, 2, 3)) > 0
    assert known.mean() > 0.7  # 40 % of single draws would be, four draws leave 13 % without


def test_a_crop_of_the_whole_tile_is_the_tile(store: PairStore) -> None:
    sampler = crops(store, crop=TILE, change_share=0.5)
    assert {(place.y, place.x) for step in range(5) for place in sampler.places(step)} == {(0, 0)}


def test_what_cannot_be_drawn_is_refused(store: PairStore) -> None:
    with pytest.raises(BadDataError, match="no tile to draw crops from"):
        crops(store, rows=store.rows("test"))
    with pytest.raises(ParameterError, match="crop 33 does not fit"):
        crops(store, crop=TILE + 1)
    with pytest.raises(ParameterError, match="no share"):
        crops(store, change_share=1.5)
    with pytest.raises(MissingInputError, match="after_sar"):
        crops(store, after="sar")
