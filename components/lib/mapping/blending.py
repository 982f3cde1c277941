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

from components.lib.mapping.blocks import Box, Windows
from components.lib.mapping.levels import Levels

FineLevels = npt.NDArray[np.uint16]
"""0 where there are no data, else ``1 + 65534 p`` of a probability p, rounded."""

FINE = 65_534
"""Fine level of probability 1, less that of probability 0."""

MOST_OVERLAP_PX = 255
"""Overlap of windows at most: sums of weighted fine levels stay below 2**32."""

_ROWS = 128
"""Rows that are converted at a time: a part that stays in the processor's cache."""


class Blend:
    """Weighted sum of the predictions of one block's windows, for one look.

    Args:
        bands: Bands of a prediction.
        box: Pixels of the block.
        windows: Lattice of the windows.
    """

    def __init__(self, bands: int, box: Box, windows: Windows) -> None:
        self.box, self.windows = box, windows
        self.total = (windows.overlap + 1) ** 2
        self.sums = np.zeros((bands, *box.shape), dtype=np.uint32)

    def add(self, window: Box, fine: FineLevels) -> None:
        """Add the prediction (bands, side, side) of a window of the lattice that touches the block."""
        shared = window.shared(self.box)
        own = shared.within(window)
        weighted = np.multiply(fine[:, *own], self._weights(window)[own], dtype=np.uint32)
        self.sums[:, *shared.within(self.box)] += weighted

    def levels(self) -> Levels:
        """Return the levels (bands, h, w)."""
        levels = np.empty(self.sums.shape, dtype=np.uint8)
        scale = np.float32(254 / (FINE * self.total))
        zero = np.float32(254 / FINE)
        for band, rows in self._parts():
            sums = self.sums[band, rows]
            values = sums.astype(np.float32)
            values *= scale
            values -= zero
            np.rint(values, out=values)
            levels[band, rows] = values
            levels[band, rows] += sums > 0
        return levels

    def fine_levels(self) -> FineLevels:
        """Return the blended fine levels (bands, h, w), rounded."""
        fine = np.empty(self.sums.shape, dtype=np.uint16)
        for band, rows in self._parts():
            fine[band, rows] = np.rint(self.sums[band, rows] / np.float64(self.total))
        return fine

    def _parts(self) -> list[tuple[int, slice]]:
        bands, height, _ = self.sums.shape
        return [(band, slice(y, y + _ROWS)) for band in range(bands) for y in range(0, height, _ROWS)]

    def _weights(self, window: Box) -> npt.NDArray[np.uint32]:
        height, width = self.windows.shape
        side, overlap = self.windows.side, self.windows.overlap
        rows = _fall_off(side, overlap, window.top == 0, window.bottom >= height)
        columns = _fall_off(side, overlap, window.left == 0, window.right >= width)
        return rows[:, np.newaxis] * columns


@lru_cache(maxsize=16)
def _fall_off(side: int, overlap: int, first: bool, last: bool) -> npt.NDArray[np.uint32]:
    """Weights (side,) along one axis of a window, which may be the scene's first or last."""
    weights = np.full(side, overlap + 1, dtype=np.uint32)
    rising = np.arange(1, overlap + 1, dtype=np.uint32)
    if not first:
        weights[:overlap] = rising
    if not last:
        weights[side - overlap :] = rising[::-1]
    return weights
