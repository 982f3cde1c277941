"""Division of a scene into blocks and prediction windows; whole pixels, NumPy only.

Blocks share no pixel and cover the scene. Prediction windows overlap and lie on a lattice that starts at the
scene's first pixel, so that a pixel's windows are the same whatever blocks the scene is divided into.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

MOST_GROUPS = 64
"""Groups of blocks that are mapped side by side, at most: mapped tasks of Airflow stay responsive so far."""


@dataclass(frozen=True, slots=True)
class Box:
    """Rectangle of pixels: rows ``top <= y < bottom``, columns ``left <= x < right``."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.bottom - self.top, self.right - self.left

    @property
    def area(self) -> int:
        """Pixels, 0 where the box is empty."""
        height, width = self.shape
        return max(0, height) * max(0, width)

    def shared(self, other: Box) -> Box:
        """Return the rectangle that both cover; its area is 0 where there is none."""
        return Box(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """Return the smallest rectangle that holds all boxes, at least one."""
        tops, lefts, bottoms, rights = zip(*((b.top, b.left, b.bottom, b.right) for b in boxes), strict=True)
        return cls(min(tops), min(lefts), max(bottoms), max(rights))

    def moved(self, rows: int, columns: int) -> Box:
        """Return the rectangle moved down by ``rows`` and to the right by ``columns``."""
        return Box(self.top + rows, self.left + columns, self.bottom + rows, self.right + columns)

    def within(self, outer: Box) -> tuple[slice, slice]:
        """Return the slices of this box in an array that holds the pixels of ``outer``."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of a scene, numbered row by row from the north-west corner.

    Attributes:
        shape: Height and width of the scene, pixels.
        side: Side of a block, pixels; those at the scene's east and south end may be smaller.
    """

    shape: tuple[int, int]
    side: int

    @property
    def rows(self) -> int:
        """Rows of blocks."""
        return ceil(self.shape[0] / self.side)

    @property
    def columns(self) -> int:
        """Columns of blocks."""
        return ceil(self.shape[1] / self.side)

    def __len__(self) -> int:
        return self.rows * self.columns

    def box(self, number: int) -> Box:
        """Return the pixels of a block."""
        row, column = divmod(number, self.columns)
        top, left = row * self.side, column * self.side
        return Box(top, left, min(top + self.side, self.shape[0]), min(left + self.side, self.shape[1]))


def shares(total: int, most: int) -> list[range]:
    """Return ``0 .. total - 1`` as at most ``most`` ranges of almost equal length, none of them empty.

    >>> shares(7, 3)
    [range(0, 2), range(2, 4), range(4, 7)]
    """
    count = min(most, total)
    bounds = [total * i // count for i in range(count + 1)] if count else []
    return [range(start, end) for start, end in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class Windows:
    """Prediction windows of a scene: every ``side - overlap`` pixels, from its first pixel to its last.

    Attributes:
        shape: Height and width of the scene, pixels.
        side: Side of a window, pixels.
        overlap: Pixels that a window shares with the next one, less than half a side.
    """

    shape: tuple[int, int]
    side: int
    overlap: int

    @property
    def step(self) -> int:
        """Distance of neighbouring windows, pixels."""
        return self.side - self.overlap

    def touching(self, box: Box) -> list[Box]:
        """Return the windows that hold a pixel of ``box``, row by row, each of full size.

        Windows at the scene's east and south end reach beyond it: what lies there has no data.
        """
        tops = self._starts(box.top, box.bottom, self.shape[0])
        lefts = self._starts(box.left, box.right, self.shape[1])
        return [Box(y, x, y + self.side, x + self.side) for y in tops for x in lefts]

    def _starts(self, first: int, end: int, length: int) -> range:
        lowest = max(0, ceil((first - self.side + 1) / self.step))
        # The last window is the first one that reaches the scene's end.
        last = max(0, ceil((length - self.side) / self.step))
        highest = min((end - 1) // self.step, last)
        return range(lowest * self.step, highest * self.step + 1, self.step)
