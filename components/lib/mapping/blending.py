"""Blending of overlapping window predictions, in whole numbers.

A network's probability p is kept as a *fine level*, uint16: 0 without data, else ``1 + 65534 p``, rounded.
Along each axis a window's weight rises linearly over the overlap, ``1, 2, ..., V`` for an overlap of V
pixels, is ``V + 1`` in its middle and falls likewise; a pixel's weight is the product of both axes.
Neighbouring windows thus add up to ``V + 1`` along an axis, and at the scene's own ends, where there is no
neighbour, the weight does not fall. Every pixel has the total weight ``W = (V + 1)**2``, and its blended fine
level is ``sum(weight * fine) / W``. The sum is exact, so that it depends neither on the order of the windows
nor on the division into blocks. The level is rounded once, from the sum::

    level = 1 + round(254 / 65534 * (sum / W - 1))

The level's probability differs from the weighted mean of the network's own by at most half a level and half
a fine one: ``1 / 508 + 1 / 131068 < 0.002``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from components.lib.mapping.allocator import mapped_zeros
from components.lib.mapping.blocks import Box, Windows
from components.lib.mapping.levels import Levels

FineLevels = npt.NDArray[np.uint16]
"""0 where there are no data, else ``1 + 65534 p`` of a probability p, rounded."""

Ends = tuple[bool, bool]
"""True if a window is the first, and the last one, of the scene along an axis."""

FINE = 65_534
"""Fine level of probability 1, less that of probability 0."""

MOST_OVERLAP_PX = 255
"""Overlap of windows at most: sums of weighted fine levels stay below 2**32."""

_ROWS = 128
"""Rows that are converted at a time: a part that stays in the processor's cache."""


class Blend:
    """Levels of one block, for one look, from its windows' predictions.

    Rows are rounded as soon as no further window can reach them, so that sums are held for the height of a
    window alone.

    Args:
        bands: Bands of a prediction.
        box: Pixels of the block.
        windows: Lattice of the windows.
        with_fine: Keep the blended fine levels, too.
    """

    def __init__(self, bands: int, box: Box, windows: Windows, *, with_fine: bool = False) -> None:
        self.box, self.windows = box, windows
        self._top = box.top
        height, width = box.shape
        self._sums = mapped_zeros((bands, min(height, windows.side), width), np.uint32)
        self._levels = mapped_zeros((bands, height, width), np.uint8)
        self._fine = mapped_zeros((bands, height, width), np.uint16) if with_fine else None

    def add(self, window: Box, fine: FineLevels) -> None:
        """Add the prediction (bands, side, side) of a window of the lattice that touches the block.

        Raises:
            ValueError: If a window of a lower row was added before.
        """
        shared = window.shared(self.box)
        if shared.top < self._top:
            raise ValueError("windows must be added row by row")
        self._finish(shared.top)
        rows, columns = shared.within(self.box)
        own = shared.within(window)
        weighted = np.multiply(fine[:, *own], self.weights(window)[own], dtype=np.uint32)
        self._sums[:, : rows.stop - rows.start, columns] += weighted

    def levels(self) -> Levels:
        """Return the levels (bands, h, w), after the last window."""
        self._finish(self.box.bottom)
        return self._levels

    def fine_levels(self) -> FineLevels:
        """Return the blended fine levels (bands, h, w), rounded, after the last window."""
        self._finish(self.box.bottom)
        if self._fine is None:
            raise ValueError("this blend keeps no fine levels")
        return self._fine

    def _finish(self, top: int) -> None:
        """Round the rows above ``top``, a row of the scene, and make room for as many below."""
        if top == self._top:
            return
        held = self._sums.shape[1]
        for first in range(0, min(top - self._top, held), _ROWS):
            rows = slice(first, min(first + _ROWS, top - self._top, held))
            start = self._top - self.box.top
            target = slice(start + rows.start, min(start + rows.stop, self.box.shape[0]))
            for band in range(len(self._sums)):
                sums = self._sums[band, rows][: target.stop - target.start]
                self._round(sums, band, target)
        left = max(0, held - (top - self._top))
        self._sums[:, :left] = self._sums[:, held - left :]
        self._sums[:, left:] = 0
        self._top = top

    def _round(self, sums: npt.NDArray[np.uint32], band: int, rows: slice) -> None:
        total = (self.windows.overlap + 1) ** 2
        values = sums.astype(np.float32)
        values *= np.float32(254 / (FINE * total))
        values -= np.float32(254 / FINE)
        np.rint(values, out=values)
        self._levels[band, rows] = values
        self._levels[band, rows] += sums > 0
        if self._fine is not None:
            self._fine[band, rows] = np.rint(sums / np.float64(total))

    def weights(self, window: Box) -> npt.NDArray[np.uint32]:
        """Return the weights (side, side) of a window of the lattice."""
        height, width = self.windows.shape
        return _weights(
            self.windows.side,
            self.windows.overlap,
            (window.top == 0, window.bottom >= height),
            (window.left == 0, window.right >= width),
        )


@lru_cache(maxsize=9)
def _weights(side: int, overlap: int, rows: Ends, columns: Ends) -> npt.NDArray[np.uint32]:
    """Weights (side, side) of a window by its place along both axes: of a scene's windows, at most nine."""
    weights = _fall_off(side, overlap, rows)[:, np.newaxis] * _fall_off(side, overlap, columns)
    weights.flags.writeable = False
    return weights


def _fall_off(side: int, overlap: int, ends: Ends) -> npt.NDArray[np.uint32]:
    """Weights (side,) along one axis of a window."""
    first, last = ends
    weights = np.full(side, overlap + 1, dtype=np.uint32)
    rising = np.arange(1, overlap + 1, dtype=np.uint32)
    if not first:
        weights[:overlap] = rising
    if not last:
        weights[side - overlap :] = rising[::-1]
    return weights
