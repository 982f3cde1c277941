"""Ground that two splits of a store share: identical, near-identical and overlapping tiles, by pairs' names.

A test pair whose ground was trained on measures memory. Only pixels are looked at: the same ground at other
dates, or mirrored, is not found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from components.lib.change.datasets.fingerprints import Hashes, content_hashes, digest, quarter_hashes
from components.lib.change.store.layout import LABEL, SPLITS
from components.lib.change.store.store import PairStore

MOST_BITS = 16
"""Bits of 128 by which quarters may differ and count as the same. Measured on 12 tiles of LEVIR-CD and
SpaceNet 8: at most 5 after JPEG of quality 75, 13 of quality 30, 6 brighter by a fifth; at least 35 between
different tiles, and 38 between 83 chips of SpaceNet 6 (docs/methods/change.md)."""

LEAST_WINDOWS = 3
"""Windows that tiles share with the same pixels to count as overlapping; foreign tiles shared none."""

_MOST_COMPARED = 4_000_000
"""Pairs of quarters compared at once: 64 MB."""

LeakKind = Literal["identical", "near-identical", "overlap"]
_ORDER: tuple[LeakKind, ...] = ("identical", "near-identical", "overlap")


@dataclass(frozen=True, slots=True)
class Leak:
    """Two pairs of different splits that share ground.

    Attributes:
        kind: The strongest kind of agreement of their tiles.
        first: Name of the pair in the split that comes first in train, val, test.
        first_split: Its split.
        second: Name of the other pair.
        second_split: Its split.
        tiles: Number of pairs of tiles that agree.
    """

    kind: LeakKind
    first: str
    first_split: str
    second: str
    second_split: str
    tiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fingerprints:
    """Fingerprints of a split's tiles, each with the tile's row.

    Attributes:
        digests: Rows by digest.
        quarters: (K, 2) hashes.
        quarter_rows: (K,) rows.
        windows: (M,) hashes.
        window_rows: (M,) rows.
    """

    digests: dict[bytes, list[int]]
    quarters: Hashes
    quarter_rows: npt.NDArray[np.int64]
    windows: Hashes
    window_rows: npt.NDArray[np.int64]


def find_leaks(store: PairStore, seen: Callable[[int], object] = lambda _: None) -> list[Leak]:
    """Compare the tiles of every two splits.

    Args:
        store: The store; its first layer of either date is compared.
        seen: Told each row that was read, for a progress bar.

    Returns:
        Leaks by kind, splits and names; one entry for two pairs, however many of their tiles agree.
    """
    prints = {split: _fingerprints(store, store.rows(split), seen) for split in SPLITS}
    leaks: list[Leak] = []
    for one, other in combinations(SPLITS, 2):
        found: dict[tuple[int, int], LeakKind] = {}
        # The strongest kind is written last.
        found |= dict.fromkeys(_overlapping(prints[one], prints[other]), "overlap")
        found |= dict.fromkeys(_near(prints[one], prints[other]), "near-identical")
        found |= dict.fromkeys(_identical(prints[one], prints[other]), "identical")
        leaks += _of_pairs(store, found, one, other)
    return sorted(leaks, key=lambda leak: (_ORDER.index(leak.kind), leak.first, leak.second))


def _fingerprints(
    store: PairStore, rows: npt.NDArray[np.int64], seen: Callable[[int], object]
) -> _Fingerprints:
    before, after = (
        store.layer(next(name for name in store.layers if name.startswith(date) and name != LABEL))
        for date in ("before", "after")
    )
    digests: dict[bytes, list[int]] = {}
    quarters, windows = [np.empty((0, 2), np.uint64)], [np.empty(0, np.uint64)]
    quarter_rows, window_rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for row in rows.tolist():
        tiles = before[row], after[row]
        if tiles[0].any() or tiles[1].any():
            digests.setdefault(digest(*tiles), []).append(row)
        quarters.append(quarter_hashes(*tiles))
        windows.append(content_hashes(*tiles))
        quarter_rows.append(np.full(len(quarters[-1]), row))
        window_rows.append(np.full(len(windows[-1]), row))
        seen(row)
    return _Fingerprints(
        digests=digests,
        quarters=np.concatenate(quarters),
        quarter_rows=np.concatenate(quarter_rows),
        windows=np.concatenate(windows),
        window_rows=np.concatenate(window_rows),
    )


def _identical(one: _Fingerprints, other: _Fingerprints) -> Iterator[tuple[int, int]]:
    for key in one.digests.keys() & other.digests.keys():
        yield from ((row, twin) for row in one.digests[key] for twin in other.digests[key])


def _near(one: _Fingerprints, other: _Fingerprints) -> Iterator[tuple[int, int]]:
    if not len(other.quarters):
        return
    step = max(1, _MOST_COMPARED // len(other.quarters))
    for start in range(0, len(one.quarters), step):
        part = one.quarters[start : start + step]
        bits = np.zeros((len(part), len(other.quarters)), dtype=np.uint8)
        for date in range(2):
            bits += np.bitwise_count(part[:, None, date] ^ other.quarters[None, :, date])
        for i, j in np.argwhere(bits <= MOST_BITS).tolist():
            yield int(one.quarter_rows[start + i]), int(other.quarter_rows[j])


def _overlapping(one: _Fingerprints, other: _Fingerprints) -> Iterator[tuple[int, int]]:
    rows: dict[int, list[int]] = {}
    shared = np.intersect1d(one.windows, other.windows)
    for window, row in _held(other, shared):
        rows.setdefault(window, []).append(row)
    counts = Counter((row, twin) for window, row in _held(one, shared) for twin in rows[window])
    return (pair for pair, count in counts.items() if count >= LEAST_WINDOWS)


def _held(prints: _Fingerprints, windows: Hashes) -> Iterator[tuple[int, int]]:
    chosen = np.isin(prints.windows, windows)
    return zip(prints.windows[chosen].tolist(), prints.window_rows[chosen].tolist(), strict=True)


def _of_pairs(
    store: PairStore, found: dict[tuple[int, int], LeakKind], one: str, other: str
) -> Iterator[Leak]:
    names = store.index["name"].to_numpy()
    kinds: dict[tuple[str, str], list[LeakKind]] = {}
    for (row, twin), kind in found.items():
        kinds.setdefault((str(names[row]), str(names[twin])), []).append(kind)
    for (first, second), agreeing in kinds.items():
        strongest = min(agreeing, key=_ORDER.index)
        yield Leak(strongest, first, one, second, other, len(agreeing))
