"""Fingerprints of a pair's tiles, by which the same ground is recognised in two splits.

Three kinds, each over both dates together:

- a digest of all pixels: identical tiles;
- difference hashes of the four quarters: near-identical tiles, also re-encoded ones, and tiles that overlap
  by half, whose quarters coincide;
- digests of small windows that are chosen by their content: tiles that overlap by any shift, with the same
  pixels, as crops of one image do.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from components.lib.change.pair import Pixels

Hashes = npt.NDArray[np.uint64]

WINDOW_PX = 16
"""Side of the windows chosen by content."""

ONE_OF = 512
"""Share of windows that are chosen: about 110 of a tile of 256 pixels."""

LEAST_CONTRAST = 1.0
"""Mean difference of neighbouring cells, in grey values, below which a quarter is too plain to judge."""

LEAST_VARIED = 30
"""Neighbouring bits of a quarter's hashes that differ, of 224 in both dates, below which it is not judged: an
even slope has none, and resembles every other. Real quarters have 32 or more, half of them over 80."""

LEAST_SIDE_PX = 32
"""Side of a quarter below which its cells are too small to tell ground."""

MOST_NO_DATA = 0.1
"""Share of pixels without data above which a quarter is not judged."""

_CELLS = (8, 9)
"""Cells of a difference hash, rows and columns: 8 x 8 comparisons of neighbours."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_DOWN, _ACROSS = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)


def digest(before: Pixels, after: Pixels) -> bytes:
    """Return the SHA-256 digest of both dates' pixels and their shape."""
    found = hashlib.sha256(repr((before.shape, after.shape)).encode())
    found.update(np.ascontiguousarray(before).data)
    found.update(np.ascontiguousarray(after).data)
    return found.digest()


def quarter_hashes(before: Pixels, after: Pixels) -> Hashes:
    """Return the difference hashes of a tile's quarters, (K, 2) for both dates, K at most 4.

    A bit says whether a cell is brighter than its left neighbour (difference hash, "dHash"). Quarters that
    are too plain, too even, too small or without data are left out.

    Args:
        before: (H, W, C).
        after: (H, W, C), the same height and width.
    """
    height, width = (side // 2 for side in before.shape[:2])
    found: list[list[np.uint64]] = []
    if min(height, width) < LEAST_SIDE_PX:
        return np.empty((0, 2), dtype=np.uint64)
    for top in (0, before.shape[0] - height):
        for left in (0, before.shape[1] - width):
            cut = slice(top, top + height), slice(left, left + width)
            found += _hashes_of_quarter(before[cut], after[cut])
    return np.array(found, dtype=np.uint64).reshape(-1, 2)


def content_hashes(before: Pixels, after: Pixels) -> Hashes:
    """Return the hashes of windows of ``WINDOW_PX``, of which content chooses one of ``ONE_OF``, ascending.

    Hashes are sums of pixels with powers of two factors (a rolling hash in rows, then in columns, modulo
    2^64), so that a window has the same hash wherever it lies in a tile. A window whose content occurs twice
    in a tile, such as an even area, is not taken.
    """
    values = _one_number(before) * _MULTIPLIER + _one_number(after)
    if min(values.shape) < WINDOW_PX:
        return np.empty(0, dtype=np.uint64)
    windows = _rolled(_rolled(values, _ACROSS).T, _DOWN)
    mixed = (windows ^ (windows >> np.uint64(32))) * _MULTIPLIER
    mixed ^= mixed >> np.uint64(29)
    found, counts = np.unique(mixed[mixed % np.uint64(ONE_OF) == 0], return_counts=True)
    once: Hashes = found[counts == 1]
    return once


def _hashes_of_quarter(*dates: Pixels) -> list[list[np.uint64]]:
    """Return the hashes of a quarter at both dates; nothing if it cannot be judged."""
    if any((~part.any(axis=-1)).mean() > MOST_NO_DATA for part in dates):
        return []
    steps = [np.diff(_cells(part), axis=1) for part in dates]
    bits = [step > 0 for step in steps]
    varied = sum(np.count_nonzero(np.diff(bit, axis=axis)) for bit in bits for axis in range(2))
    if max(np.abs(step).mean() for step in steps) < LEAST_CONTRAST or varied < LEAST_VARIED:
        return []
    return [[_packed(bit) for bit in bits]]


def _cells(part: Pixels) -> npt.NDArray[np.float32]:
    """Return the mean grey values of ``_CELLS`` equal cells."""
    grey = part.astype(np.float32).mean(axis=-1)
    edges = [np.arange(count) * side // count for count, side in zip(_CELLS, grey.shape, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(grey, edges[0], axis=0), edges[1], axis=1)
    sizes = [np.diff(np.append(edge, side)) for edge, side in zip(edges, grey.shape, strict=True)]
    return np.asarray(sums / np.outer(*sizes), dtype=np.float32)


def _packed(bits: npt.NDArray[np.bool_]) -> np.uint64:
    return np.uint64(int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big"))


def _one_number(pixels: Pixels) -> Hashes:
    """Return the bytes of each pixel, at most 8, as one number, (H, W)."""
    numbers: Hashes = np.zeros(pixels.shape[:2], dtype=np.uint64)
    for channel in range(pixels.shape[-1]):
        numbers = (numbers << np.uint64(8)) | pixels[..., channel]
    return numbers


def _rolled(values: Hashes, factor: np.uint64) -> Hashes:
    """Return the hash of every ``WINDOW_PX`` neighbours in a row, (H, W - WINDOW_PX + 1)."""
    last = values.shape[1] - WINDOW_PX + 1
    hashes = np.zeros((values.shape[0], last), dtype=np.uint64)
    for start in range(WINDOW_PX):
        hashes = hashes * factor + values[:, start : start + last]
    return hashes
