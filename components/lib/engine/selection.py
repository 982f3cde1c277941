"""Pixel scores on the selection split: all that training may look at besides its own losses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from components.lib.engine.inputs import paired_rows
from components.lib.inference.tiles import predict_tiles
from components.lib.metrics.counts import Counts, count_pixels
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store
from components.lib.tasks.labels import BUILDING_BAND, footprints_of

THRESHOLD = 0.5
"""Building probability above which a pixel is building: of two classes, the likelier one."""


def selection_scores(
    net: SegmentationNetwork, store: Store, sensor: str, device: torch.device
) -> dict[str, float]:
    """Return IoU, F1, precision and recall of the building class, and the number of selection ``tiles``.

    Pixels are summed over the tiles with an optical image. Raises as :func:`paired_rows`.
    """
    rows = paired_rows(store, sensor, "selection")
    return {**pixel_scores(net, store, sensor, rows, device=device), "tiles": len(rows)}


def pixel_scores(
    net: SegmentationNetwork,
    store: Store,
    sensor: str,
    rows: npt.NDArray[np.integer],
    *,
    device: torch.device,
    statistics_of: str | None = None,
) -> dict[str, float]:
    """Return IoU, F1, precision and recall of the building class from pixels summed over tiles.

    Args:
        net: The network.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        device: Device of the prediction.
        statistics_of: Sensor whose statistics normalise them, by default ``sensor``.
    """
    target = store.layer(sensor, "target")
    total = Counts(0, 0, 0)
    for row, prediction in predict_tiles(
        net, store, sensor, rows, device=device, statistics_of=statistics_of
    ):
        total += count_pixels(prediction.band(BUILDING_BAND) > THRESHOLD, footprints_of(target[row]))
    return total.as_dict()
