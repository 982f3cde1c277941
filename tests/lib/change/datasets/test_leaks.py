"""Ground that two splits share is found by the names of its pairs, and different ground is not."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from components.lib.change.datasets.fingerprints import content_hashes, quarter_hashes
from components.lib.change.datasets.leaks import MOST_BITS, Leak, find_leaks
from components.lib.change.pair import Pair, Pixels
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import write_pairs
from tests.conftest import ROOT
from tests.lib.change.datasets.files import read
from tests.lib.change.pairs import facts, make_pair

TILE = 128


def ground(seed: int, size: tuple[int, int] = (2 * TILE, 2 * TILE)) -> Pixels:
    """A picture with structures of some pixels, as ground has them."""
    noise = np.random.default_rng(seed).normal(size=(*size, 3))
    smooth = ndimage.gaussian_filter(noise, (4, 4, 0))
    pixels: Pixels = np.clip(128 + 40 * smooth / smooth.std(), 1, 255).astype(np.uint8)
    return pixels


def pair_of(name: str, split: str, seed: int, y: int = 0, x: int = 0) -> Pair:
    """A pair of one tile, cut at (y, x) from the ground of ``seed``."""
    cut = np.s_[y : y + TILE, x : x + TILE]
    pair = make_pair(name, split, size=(TILE, TILE), buildings=())
    return replace(pair, before={"optical": ground(seed)[cut]}, after={"optical": ground(seed + 50)[cut]})


def compressed(pixels: Pixels, quality: int = 75) -> Pixels:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=quality)
    return np.maximum(np.array(Image.open(content), dtype=np.uint8), np.uint8(1))


def encoded(pair: Pair) -> Pair:
    return replace(
        pair,
        before={"optical": compressed(pair.before["optical"])},
        after={"optical": compressed(pair.after["optical"])},
    )


def leaks_of(folder: Path, pairs: list[Pair]) -> list[Leak]:
    write_pairs(folder, pairs, facts(tile_px=TILE))
    return find_leaks(PairStore.open(folder))


def test_different_ground_is_no_leak(tmp_path: Path) -> None:
    splits = ("train", "test")
    pairs = [pair_of(f"{split}{i}", split, 100 * i + k) for i in range(4) for k, split in enumerate(splits)]
    assert leaks_of(tmp_path / "pairs", pairs) == []


def test_the_same_ground_in_one_split_is_no_leak(tmp_path: Path) -> None:
    assert leaks_of(tmp_path / "pairs", [pair_of("a", "train", 1), pair_of("b", "train", 1)]) == []


CASES = [
    ("identical", pair_of("twin", "test", 1)),
    ("near-identical", encoded(pair_of("twin", "test", 1))),
    ("near-identical", encoded(pair_of("twin", "test", 1, x=TILE // 2))),
    ("near-identical", pair_of("twin", "test", 1, y=TILE // 2, x=TILE // 2)),
    ("overlap", pair_of("twin", "test", 1, y=11, x=13)),
]


@pytest.mark.parametrize(("kind", "twin"), CASES, ids=["same", "jpeg", "half", "quarter", "any shift"])
def test_shared_ground_is_found_by_name(kind: str, twin: Pair, tmp_path: Path) -> None:
    pairs = [pair_of("other", "train", 7), pair_of("one", "train", 1), pair_of("apart", "val", 9), twin]
    (leak,) = leaks_of(tmp_path / "pairs", pairs)
    assert (leak.kind, leak.first, leak.first_split, leak.second, leak.second_split) == (
        kind,
        "one",
        "train",
        "twin",
        "test",
    )
    assert leak.tiles == 1


def test_plain_and_empty_tiles_are_not_judged(tmp_path: Path) -> None:
    grey, empty = np.full((TILE, TILE, 3), 90, np.uint8), np.zeros((TILE, TILE, 3), np.uint8)
    assert len(quarter_hashes(grey, grey)) == 0
    assert len(content_hashes(grey, grey)) == 0
    pairs = [
        replace(pair_of(name, split, 1), before={"optical": empty}, after={"optical": empty})
        for name, split in (("a", "train"), ("b", "val"))
    ]
    assert leaks_of(tmp_path / "pairs", pairs) == []


def test_tiles_smaller_than_a_window_are_not_compared_by_windows() -> None:
    small = ground(1)[:8, :8]
    assert len(content_hashes(small, small)) == 0


LEVIR = ROOT.parent / "shared" / "data" / "change" / "levir"


@pytest.mark.skipif(not LEVIR.is_dir(), reason="no sample of LEVIR-CD in ../shared/data/change")
def test_real_tiles_keep_their_distance() -> None:
    pairs, _, _ = read(LEVIR, "levir-cd")
    plain = [quarter_hashes(pair.before["optical"], pair.after["optical"]) for pair in pairs]
    again = [encoded(pair) for pair in pairs]
    moved = [quarter_hashes(pair.before["optical"], pair.after["optical"]) for pair in again]
    same = [np.bitwise_count(a ^ b).sum(axis=-1).max() for a, b in zip(plain, moved, strict=True)]
    different = [
        np.bitwise_count(plain[i][:, None] ^ moved[j][None]).sum(axis=-1).min()
        for i in range(len(pairs))
        for j in range(len(pairs))
        if i != j
    ]
    assert max(same) <= MOST_BITS / 2
    assert min(different) >= 2 * MOST_BITS
