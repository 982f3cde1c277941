"""Pixel scores on the selection split: all that training may look at besides its own losses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from components.lib.inference.tiles import predict_tiles
from components.lib.metrics.probabilities import HALF, ProbabilityHistogram
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store
from components.lib.tasks.labels import BAND_OF, ignored_of, target_of


def pixel_histogram(
    net: SegmentationNetwork,
    store: Store,
    sensor: str,
    rows: npt.NDArray[np.integer],
    *,
    device: torch.device,
    statistics_of: str | None = None,
) -> ProbabilityHistogram:
    """Return the probabilities of the pixels of some tiles that count, by their truth.

    Args:
        net: The network.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        device: Device of the prediction.
        statistics_of: Sensor whose statistics normalise them, by default ``sensor``.
    """
    target, task = store.layer(sensor, "target"), store.task
    total = ProbabilityHistogram.empty()
    for row, prediction in predict_tiles(
        net, store, sensor, rows, device=device, statistics_of=statistics_of
    ):
        counted = prediction.valid & ~ignored_of(target[row], task)
        total += ProbabilityHistogram.of(prediction.band(BAND_OF[task]), target_of(target[row]), counted)
    return total


def choose_threshold(net: SegmentationNetwork, histogram: ProbabilityHistogram) -> None:
    """Store with ``net`` the threshold of the largest pixel IoU; the views are plain, without mirrors.

    Args:
        net: Its configuration is replaced.
        histogram: Probabilities on the selection slice of the labelled sensor.
    """
    net.config = net.config.model_copy(update={"threshold": histogram.best_threshold()})


def pixel_scores(histogram: ProbabilityHistogram, threshold: float) -> dict[str, float]:
    """Return the scores of the target class from pixels summed over tiles.

    Args:
        histogram: Probabilities of the pixels.
        threshold: Threshold of the model.

    Returns:
        ``iou, f1, precision, recall`` at the threshold, the ``threshold``, the IoU at 0.5 (``iou_half``) and
        the average precision of the pixels (``pr_auc``).
    """
    return {
        **histogram.counts(threshold).as_dict(),
        "threshold": threshold,
        "iou_half": histogram.counts(HALF).iou,
        "pr_auc": histogram.average_precision(),
    }
