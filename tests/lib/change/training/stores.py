"""A store of small pairs in which bright squares appear, for trainings of a few steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from components.lib.change.pair import Pair
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import write_pairs
from components.lib.change.terms import BANDS, Modality
from tests.lib.change.pairs import facts

SIDE = 64
SPLITS = ("train",) * 6 + ("val",) * 2 + ("test",)


def pair(number: int, split: str, modalities: tuple[Modality, Modality]) -> Pair:
    random = np.random.default_rng(number)
    label = np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(3):
        y, x = random.integers(0, SIDE - 16, 2)
        label[y : y + 16, x : x + 16] = 1
    images = [random.integers(40, 90, (SIDE, SIDE, len(BANDS[kind])), dtype=np.uint8) for kind in modalities]
    images[1] += 120 * label[..., None]
    return Pair(
        name=f"pair{number}",
        scene=f"pair{number}",
        split=split,  # type: ignore[arg-type]
        before={modalities[0]: images[0]},
        after={modalities[1]: images[1]},
        label=label,
    )


def make_store(
    folder: Path,
    *,
    splits: tuple[str, ...] = SPLITS,
    modalities: tuple[Modality, Modality] = ("optical", "optical"),
    labels: Mapping[str, int] | None = None,
) -> PairStore:
    """Write and open a store of one tile per pair; ``labels`` gives all pixels of a split one label."""
    pairs = [pair(number, split, modalities) for number, split in enumerate(splits)]
    for one in pairs:
        if labels and one.split in labels:
            one.label[:] = labels[one.split]
    write_pairs(folder, pairs, facts(tile_px=SIDE))
    return PairStore.open(folder)
