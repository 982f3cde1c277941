"""Label layers of the tasks and their packing into one byte; NumPy only, training imports it too.

Bit 0 of the store's layer ``target`` is the target itself whatever the task, so that code which needs nothing
else asks for it by :func:`target_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from components.lib.tasks.names import TaskName

BUILDING_BAND = "building"
"""Band of a prediction that holds the class map's building probability."""

BAND_OF: Mapping[TaskName, str] = MappingProxyType({"buildings": BUILDING_BAND, "roads": "road"})
"""Band of a prediction that holds the class map's probability of the target, by task."""

LABELS = ("footprint", "edge", "contact")
"""Label layers of buildings: the building itself, the rim inside it, and the ground and walls between two.

Bit k of the store's layer ``target`` is the k-th, and channel k of a network's contour head predicts it.
"""

ROAD_LABELS = ("road", "centre", "ignore")
"""Label layers of roads: the road at its width, its centre line one pixel wide, and the ground where nobody
knows whether there is a road, which no loss and no score counts."""

LABELS_OF: Mapping[TaskName, tuple[str, ...]] = MappingProxyType({"buildings": LABELS, "roads": ROAD_LABELS})
"""Label layers by task, as many of each."""

IGNORE_LABEL = "ignore"


def pack_masks(masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pack the label layers of a task (..., 3), non-zero where they hold, as bits of one byte (..., 1).

    A crop then carries five bytes a pixel instead of seven, and a byte is mirrored faster than three.
    """
    packed = np.zeros(masks.shape[:-1], dtype=np.uint8)
    for bit in range(len(LABELS)):
        packed |= (masks[..., bit] != 0).astype(np.uint8) << np.uint8(bit)
    return packed[..., np.newaxis]


def target_of(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where the layer ``target`` (..., 1) has a building or a road, as the task is, (...)."""
    return (packed[..., 0] & 1) > 0


def ignored_of(packed: npt.NDArray[np.uint8], task: TaskName) -> npt.NDArray[np.bool_]:
    """Return the pixels of the layer ``target`` (..., 1) that no score counts, (...); none of buildings."""
    if IGNORE_LABEL not in LABELS_OF[task]:
        return np.zeros(packed.shape[:-1], dtype=bool)
    return (packed[..., 0] >> LABELS_OF[task].index(IGNORE_LABEL) & 1) > 0
