"""Fusion of several looks at the same ground: the mean logit over the looks that have data.

A look without data at a pixel does not take part there. Radar layover is not masked: no real product comes
with a mask of it, and a look whose pixels lie in layover has data like any other.

Probabilities are clipped to a quarter of a level from 0 and 1, that is to 1/1016 and 1015/1016 (logits of
-6.92 and 6.92), so that one look's certainty cannot overrule all the others. Logits are whole numbers of
1/4096: their sum does not depend on the order of the looks, and the rounding moves a fused probability by at
most 0.00006, a hundredth of a level. A pixel with data in one look only has that look's own level.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from components.lib.mapping.allocator import mapped_zeros
from components.lib.mapping.blending import FINE, Blend
from components.lib.mapping.levels import Levels

CLIPPED = 1 / 1016
"""Smallest probability that takes part; the largest is ``1 - CLIPPED``."""

_UNIT = 4096
"""Whole numbers per unit of logit."""

_BOUND = round(_UNIT * float(np.log((1 - CLIPPED) / CLIPPED)))


class LookFusion:
    """Levels of one block from several looks, which are added one after the other.

    Args:
        shape: Bands, height and width of the block.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.logits = mapped_zeros(shape, np.int32)
        self.count = mapped_zeros(shape[1:], np.int32)
        self.single = mapped_zeros(shape, np.uint8)

    def add(self, blend: Blend) -> None:
        """Add the blended prediction of a look."""
        levels, fine = blend.levels(), blend.fine_levels()
        logits = _logit_of_fine()
        for band in range(len(fine)):
            self.logits[band] += logits[fine[band]]
            np.copyto(self.single[band], levels[band], where=self.count == 0)
        self.count += levels[0] > 0

    def levels(self) -> Levels:
        """Return the fused levels (bands, h, w), after the last look."""
        several = self.count > 1
        count = self.count[several]
        table, fused = _level_of_logit(), self.single
        for band in range(len(fused)):
            # Rounded to the nearest whole number, halves up.
            mean = (2 * self.logits[band][several] + count) // (2 * count)
            fused[band][several] = table[mean + _BOUND]
        return fused


@cache
def _logit_of_fine() -> npt.NDArray[np.int32]:
    """Logit (65536,) of every fine level, in units; 0 for the one without data."""
    p = np.clip(np.arange(-1, FINE + 1) / FINE, CLIPPED, 1 - CLIPPED)
    logits: npt.NDArray[np.int32] = np.rint(_UNIT * np.log(p / (1 - p))).astype(np.int32)
    logits[0] = 0
    return logits


@cache
def _level_of_logit() -> npt.NDArray[np.uint8]:
    """Level of every logit from ``-_BOUND`` to ``_BOUND``, in units."""
    logits = np.arange(-_BOUND, _BOUND + 1) / _UNIT
    return (1 + np.rint(254 / (1 + np.exp(-logits)))).astype(np.uint8)
