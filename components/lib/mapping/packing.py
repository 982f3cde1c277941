"""Placement of boxes on canvases, so that what lies between them is neither stored nor computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SIDE_PX = 1024
_GAP_PX = 1


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Boxes placed on shelves, one pixel apart.

    Attributes:
        shape: Height and width, pixels.
        indices: (K,) which boxes were placed.
        tops: (K,) first row of each; ascending, those of a shelf side by side.
        lefts: (K,) first column of each, ascending on a shelf.
    """

    shape: tuple[int, int]
    indices: npt.NDArray[np.int64]
    tops: npt.NDArray[np.int64]
    lefts: npt.NDArray[np.int64]

    def owners(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the placement 0..K-1 in whose box each point lies, (N,)."""
        shelves, shelf_of = np.unique(self.tops, return_inverse=True)
        width = self.shape[1] + 1
        shelf = np.searchsorted(shelves, y, side="right") - 1
        return np.searchsorted(shelf_of * width + self.lefts, shelf * width + x, side="right") - 1


def pack(shapes: Sequence[tuple[int, int]]) -> Iterator[Canvas]:
    """Yield canvases of about ``_SIDE_PX`` a side that hold boxes of these heights and widths, each once.

    A box that is larger stands alone on a canvas of its size.
    """
    placed: list[tuple[int, int, int]] = []
    top = left = shelf = width = 0
    for index in sorted(range(len(shapes)), key=lambda k: -shapes[k][0]):
        high, wide = shapes[index]
        if left and left + wide > _SIDE_PX:
            top, left, shelf = top + shelf + _GAP_PX, 0, 0
        if placed and (wide > _SIDE_PX or top + high > _SIDE_PX):
            yield _canvas(placed, (top + shelf, width))
            placed, top, left, shelf, width = [], 0, 0, 0, 0
        placed.append((index, top, left))
        shelf = max(shelf, high)
        left += wide + _GAP_PX
        width = max(width, left - _GAP_PX)
    if placed:
        yield _canvas(placed, (top + shelf, width))


def _canvas(placed: list[tuple[int, int, int]], shape: tuple[int, int]) -> Canvas:
    indices, tops, lefts = np.array(placed, dtype=np.int64).T
    return Canvas(shape, indices, tops, lefts)
