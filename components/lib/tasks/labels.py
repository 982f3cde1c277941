"""Label layers of the building task and their packing into one byte; NumPy only, training imports it too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BUILDING_BAND = "building"
"""Band of a prediction that holds the class map's building probability."""

LABELS = ("footprint", "edge", "contact")
"""Label layers: the building itself, the rim inside it, and the ground and walls between two buildings.

Bit k of the store's layer ``target`` is the k-th, and channel k of a network's contour head predicts it.
"""


def pack_masks(masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pack ``LABELS`` (..., 3), non-zero where they hold, as bits of one byte (..., 1).

    A crop then carries five bytes a pixel instead of seven, and a byte is mirrored faster than three.
    """
    packed = np.zeros(masks.shape[:-1], dtype=np.uint8)
    for bit in range(len(LABELS)):
        packed |= (masks[..., bit] != 0).astype(np.uint8) << np.uint8(bit)
    return packed[..., np.newaxis]


def footprints_of(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where the layer ``target`` (..., 1) has a building, (...)."""
    return (packed[..., 0] & 1) > 0
