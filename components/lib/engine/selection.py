"""Pixel scores on the selection split: all that training may look at besides its own losses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from components.lib.engine.inputs import paired_rows
from components.lib.inference.tiles import predict_tiles
from components.lib.metrics.counts import Confusion, pixel_confusion
from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.settings import ScoringSettings
from components.lib.store.layout import footprints_of
from components.lib.store.store import Store


def selection_scores(
    net: SegmentationNetwork, store: Store, sensor: str, device: torch.device
) -> dict[str, float]:
    """IoU, F1, precision and recall of the building class from pixels summed over the selection tiles.

    The threshold is the fixed one of the scoring settings. Raises as :func:`paired_rows`.
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
    """IoU, F1, precision and recall of the building class from pixels summed over tiles.

    Args:
        net: The network.
        store: The prepared tiles.
        sensor: Whose tiles.
        rows: Which of them.
        device: Where to predict.
        statistics_of: Sensor whose statistics normalise them, by default ``sensor``.
    """
    settings = ScoringSettings()
    target = store.layer(sensor, "target")
    total = Confusion(0, 0, 0)
    for row, probability in predict_tiles(
        net,
        store,
        sensor,
        rows,
        window_px=settings.window_px,
        batch=settings.batch,
        device=device,
        statistics_of=statistics_of,
    ):
        total += pixel_confusion(probability > settings.threshold, footprints_of(target[row]))
    return total.as_dict()
