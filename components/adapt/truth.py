"""What the source's labels say of classes' frequencies: the yardstick of the first pseudo-labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.lib.store import Store

TILES = 256
"""Tiles looked at, evenly spread."""

_EVERY = 4


def class_shares(store: Store, sensor: str, rows: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Share of background and of building in the pixels with data, from a lattice of samples.

    Args:
        store: The prepared tiles.
        sensor: One with labels that may be trained on.
        rows: Its rows to look at.
    """
    sar, target = store.layer(sensor, "sar"), store.layer(sensor, "target")
    spread = rows[np.linspace(0, len(rows) - 1, min(TILES, len(rows))).round().astype(np.int64)]
    buildings = valid = 0
    for row in spread:
        data = sar[row, ::_EVERY, ::_EVERY].any(axis=-1)
        valid += int(np.count_nonzero(data))
        buildings += int(np.count_nonzero((target[row, ::_EVERY, ::_EVERY, 0] > 0) & data))
    share = buildings / max(valid, 1)
    return 1 - share, share
