"""Probabilities as whole numbers, 0 for no data: what maps store, and what their buildings are drawn from.

The scale is that of the training store's SAR pixels: 1..255 by one line. Sums of whole numbers do not depend
on their order, so a map does not depend on how its scene was divided.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]
"""0 where there are no data, else ``1 + 254 p`` of a probability p, rounded."""

NO_DATA = 0
PUBLISHED_NO_DATA, PUBLISHED_SCALE = 255, 1 / 254
"""No data of the published raster, and its scale: the probability is ``value * PUBLISHED_SCALE``, no offset.

QGIS scales values before it looks for no data, so the value of no data must be no probability: with 0, all
ground of probability 0 was no data there (QGIS 3.22).
"""


def to_levels(probability: npt.NDArray[np.floating], valid: npt.NDArray[np.bool_]) -> Levels:
    """Return the levels of probabilities.

    Args:
        probability: (..., H, W), 0 to 1.
        valid: (H, W), False where there are no data.
    """
    levels = np.rint(probability * 254.0).astype(np.uint8) + np.uint8(1)
    return np.where(valid, levels, np.uint8(NO_DATA))


def to_published(levels: Levels) -> npt.NDArray[np.uint8]:
    """Return levels as the published raster has them: ``254 p``, 255 where there are no data."""
    return levels - np.uint8(1)  # 0 becomes 255


def from_published(values: npt.NDArray[np.uint8]) -> Levels:
    """Return the levels of values of the published raster."""
    return values + np.uint8(1)  # 255 becomes 0


def to_probability(levels: Levels) -> npt.NDArray[np.float32]:
    """Return the probabilities of levels, 0 where there are no data."""
    above = np.maximum(levels.astype(np.float32) - np.float32(1), np.float32(0))
    probability: npt.NDArray[np.float32] = np.divide(above, np.float32(254), dtype=np.float32)
    return probability
