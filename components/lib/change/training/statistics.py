"""Mean and standard deviation of the images of one date, as a change network normalises them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from components.contract.errors import BadDataError
from components.lib.change.pair import Pixels

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

LEAST_STD = 1.0
"""Lower bound of a standard deviation, uint8 units: images of one colour must not be divided by nothing."""


def date_statistics(layer: Pixels, rows: npt.NDArray[np.int64], name: str) -> Statistics:
    """Return the statistics of some tiles, per band in uint8 units, as SGSLN's code takes them of its images.

    The mean is the mean over tiles of each tile's, and the standard deviation the mean of each tile's, not
    that of all pixels. Pixels without data (0 in every band) count for nothing (ours).

    Args:
        layer: (N, H, W, C) uint8.
        rows: Tiles to take.
        name: Name of the layer, in messages and the progress bar.

    Raises:
        BadDataError: If no tile has data.
    """
    means, stds = [], []
    for row in tqdm(rows, desc=f"statistics of {name}", disable=None, leave=False):
        tile = layer[row].reshape(-1, layer.shape[-1])
        valid = tile[tile.any(axis=1)].astype(np.float32)
        if len(valid):
            means.append(valid.mean(axis=0, dtype=np.float64))
            stds.append(valid.std(axis=0, dtype=np.float64))
    if not means:
        raise BadDataError(
            f"layer {name}: none of the {len(rows)} train tiles has data",
            next_step="see reports/pairs/*/details.json, and choose change.before and change.after among the "
            "data set's images",
        )
    mean, std = np.mean(means, axis=0), np.maximum(np.mean(stds, axis=0), LEAST_STD)
    return tuple(mean.tolist()), tuple(std.tolist())
