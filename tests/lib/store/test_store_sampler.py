from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.errors import BadDataError, ParameterError
from components.lib.store.layout import LAYERS
from components.lib.store.prefetch import prefetch
from components.lib.store.sampler import MIN_DATA_SHARE, CropSampler, _mirrored
from components.lib.store.store import Store
from components.lib.tasks.labels import pack_masks, target_of
from tests.lib.store.tiny_store import OTHER, SENSOR, SIDE, array_path, tiny_store

CROP = 16
Batch = dict[str, npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return tiny_store(tmp_path_factory.mktemp("sampler"), splits=["train"] * 5)[0]


def sampler(store: Store, **changes: object) -> CropSampler:
    settings: dict[str, object] = {"crop": CROP, "batch": 4, "seed": 3, **changes}
    return CropSampler(store, SENSOR, store.rows(SENSOR, "train"), **settings)  # type: ignore[arg-type]


def same(a: Batch, b: Batch) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same tiles with float16 SAR."""
    return tiny_store(tmp_path_factory.mktemp("fine"), splits=["train"] * 5, half=True)[0]


@pytest.mark.parametrize("half", [False, True], ids=["uint8", "float16"])
@pytest.mark.parametrize("rot90", [False, True])
def test_crops_are_the_pixels_that_slicing_gives(store: Store, fine: Store, rot90: bool, half: bool) -> None:
    store = fine if half else store
    drawn = sampler(store, rot90=rot90, batch=16)
    seen = set()
    for step in range(4):
        batch = drawn.batch(step)
        for i, window in enumerate(drawn.windows(step)):
            seen.add((window.flip, window.turns))
            for layer, channels in LAYERS.items():
                tile = store.layer(SENSOR, layer)[window.row]
                expected = tile[window.y : window.y + CROP, window.x : window.x + CROP]
                if window.flip:
                    expected = np.fliplr(expected)
                expected = np.rot90(expected, window.turns)
                assert batch[layer].shape == (16, CROP, CROP, channels)
                assert batch[layer].dtype == (np.float16 if half and layer == "sar" else np.uint8)
                np.testing.assert_array_equal(batch[layer][i], expected)
    assert seen == {(flip, turns) for flip in (False, True) for turns in (range(4) if rot90 else [0])}


@pytest.mark.parametrize("width", [16, 12])
def test_bytes_are_mirrored_whole(width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, width + 3), dtype=np.uint8)[:, 1 : width + 1]
    np.testing.assert_array_equal(_mirrored(pixels), np.fliplr(pixels))


def test_masks_are_bits_of_one_byte() -> None:
    masks = np.random.default_rng(0).integers(0, 2, (4, 6, 3), dtype=np.uint8) * 255
    packed = pack_masks(masks)
    assert packed.shape == (4, 6, 1)
    np.testing.assert_array_equal(target_of(packed), masks[..., 0] > 0)
    for bit in range(3):
        np.testing.assert_array_equal(packed[..., 0] >> bit & 1, masks[..., bit] // 255)


def test_only_left_right_flips_unless_turning_is_asked_for(store: Store) -> None:
    assert all(w.turns == 0 for step in range(20) for w in sampler(store).windows(step))
    assert not any(w.flip for step in range(20) for w in sampler(store, flip=False).windows(step))


@given(seed=st.integers(0, 2**64 - 1), step=st.integers(0, 10**9))
def test_a_batch_is_a_pure_function_of_seed_and_step(store: Store, seed: int, step: int) -> None:
    used, fresh = sampler(store, seed=seed), sampler(store, seed=seed)
    used.batch(step + 7)
    used.batch(0)

    assert same(used.batch(step), fresh.batch(step))


def test_seeds_and_steps_differ(store: Store) -> None:
    assert not same(sampler(store).batch(0), sampler(store).batch(1))
    assert not same(sampler(store).batch(0), sampler(store, seed=4).batch(0))


def test_layers_asked_for_do_not_change_where_crops_lie(store: Store) -> None:
    both, one = sampler(store, layers=("sar", "target")), sampler(store, layers=("target", "sar"))

    assert list(both.batch(2)) == ["sar", "target"]
    np.testing.assert_array_equal(both.batch(2)["sar"], one.batch(2)["sar"])


def test_the_number_format_does_not_change_where_crops_lie(store: Store, fine: Store) -> None:
    for step in range(4):
        assert sampler(store).windows(step) == sampler(fine).windows(step)
        np.testing.assert_array_equal(
            sampler(store).batch(step)["sar"] + 0.5, sampler(fine).batch(step)["sar"]
        )


def test_every_tile_is_used_once_before_any_is_used_again(store: Store) -> None:
    drawn = sampler(store, batch=3)
    rows = [window.row for step in range(10) for window in drawn.windows(step)]  # 30 crops, 5 tiles

    for epoch in range(6):
        assert sorted(rows[5 * epoch : 5 * epoch + 5]) == [0, 1, 2, 3, 4]
    assert len({tuple(rows[5 * epoch : 5 * epoch + 5]) for epoch in range(6)}) > 1


def test_crop_as_large_as_the_tile_and_larger(store: Store) -> None:
    assert {(w.y, w.x) for w in sampler(store, crop=SIDE).windows(0)} == {(0, 0)}
    with pytest.raises(ParameterError, match=r"crop 41 does not fit .* 40 x 40"):
        sampler(store, crop=SIDE + 1)


def test_positions_reach_every_corner(store: Store) -> None:
    drawn = sampler(store, crop=SIDE - 1, batch=32)
    places = Counter((w.y, w.x) for step in range(4) for w in drawn.windows(step))

    assert set(places) == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_arrays_can_be_reused(store: Store) -> None:
    drawn = sampler(store)
    out = drawn.batch(0)
    again = drawn.batch(5, out)

    assert again["sar"] is out["sar"]
    assert same(again, sampler(store).batch(5))


def test_mostly_black_crops_are_drawn_again(tmp_path: Path) -> None:
    store, layers = tiny_store(tmp_path, splits=["train"])
    half = layers[SENSOR, "sar"].copy()
    half[:, :, : SIDE // 2] = 0
    np.save(array_path(store.folder, SENSOR, "sar"), half)
    blind = CropSampler(store, SENSOR, np.array([0]), ("target",), crop=8, batch=64, seed=1)
    seeing = CropSampler(store, SENSOR, np.array([0]), ("sar", "target"), crop=8, batch=64, seed=1)

    def black(drawn: CropSampler) -> float:
        windows = [w for step in range(4) for w in drawn.windows(step)]
        data = [(half[0, w.y : w.y + 8, w.x : w.x + 8] > 0).mean() for w in windows]
        return float(np.mean(np.array(data) < MIN_DATA_SHARE))

    assert black(blind) > 0.25
    assert black(seeing) < black(blind) / 8


def test_a_black_tile_still_gives_a_crop(tmp_path: Path) -> None:
    store, layers = tiny_store(tmp_path, splits=["train"])
    np.save(array_path(store.folder, SENSOR, "sar"), np.zeros_like(layers[SENSOR, "sar"]))
    drawn = CropSampler(store, SENSOR, np.array([0]), ("sar",), crop=8, batch=2, seed=1)

    assert not drawn.batch(0)["sar"].any()


def test_no_rows_and_no_optical_are_told(store: Store) -> None:
    with pytest.raises(BadDataError, match=f"{SENSOR} has no tile to draw"):
        CropSampler(store, SENSOR, store.rows(SENSOR, "test"), crop=CROP, batch=2, seed=1)
    assert set(CropSampler(store, OTHER, np.array([0]), ("sar",), crop=CROP, batch=2, seed=1).batch(0)) == {
        "sar"
    }


def test_prefetch_gives_the_same_batches_in_order(store: Store) -> None:
    drawn = sampler(store)
    ahead = list(prefetch(drawn.batch, 3, 23, threads=3, ahead=5))

    assert len(ahead) == 20
    assert all(same(batch, sampler(store).batch(step)) for step, batch in enumerate(ahead, 3))


def test_prefetch_holds_a_bounded_number_and_stops_when_left() -> None:
    asked: list[int] = []

    def batch(step: int) -> Batch:
        asked.append(step)
        return {"sar": np.zeros(1, dtype=np.uint8)}

    steps = prefetch(batch, 0, 1000, threads=2, ahead=3)
    next(steps)
    steps.close()  # type: ignore[attr-defined]

    assert max(asked) <= 4
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch")]


def test_prefetch_hands_on_an_error() -> None:
    def batch(step: int) -> Batch:
        if step == 2:
            raise BadDataError("tile 2 is damaged", next_step="prepare again")
        return {}

    steps = prefetch(batch, 0, 5)
    assert [next(steps), next(steps)] == [{}, {}]
    with pytest.raises(BadDataError, match="tile 2"):
        next(steps)
