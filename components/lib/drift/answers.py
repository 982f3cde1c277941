"""Probabilities that a network gives to the pixels of tiles, counted by ground block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from components.contract.errors import BadDataError, MissingInputError
from components.lib.config.scoring import ScoringSettings
from components.lib.drift.expected_score import BlockProbabilities
from components.lib.geo.geoarray import GeoArray
from components.lib.metrics.probabilities import ProbabilityHistogram
from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.blocks import block_parts
from components.lib.scoring.score import predict_by_settings
from components.lib.store.layer import StoredLayer
from components.lib.store.store import Store
from components.lib.tasks.labels import BAND_OF, ignored_of, target_of

Mask = npt.NDArray[np.bool_]


def block_probabilities(
    net: SegmentationNetwork,
    store: Store,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    *,
    settings: ScoringSettings,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
) -> BlockProbabilities:
    """Predict tiles as scoring does, and count their probabilities, by labels where there are any.

    Args:
        net: The network; its modality says which layer is read.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        settings: The section `scoring`: windows, views and side of the ground blocks.
        device: Device of the prediction.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.

    Raises:
        BadDataError: If no tile holds a pixel, the network is of another task than the store, or an answer
            is not a number.
    """
    target = _labels(store, sensor)
    predictions = predict_by_settings(
        net, store, sensor=sensor, rows=rows, settings=settings, device=device, statistics_of=statistics_of
    )

    def parts() -> Iterator[tuple[str, ProbabilityHistogram]]:
        for row, prediction in predictions:
            truth, counted = np.zeros(prediction.shape, dtype=bool), prediction.valid
            if target is not None:
                packed = target[row]
                truth, counted = target_of(packed), counted & ~ignored_of(packed, store.task)
            probability = np.asarray(prediction.band(BAND_OF[store.task]), dtype=np.float32)
            if not np.isfinite(probability[counted]).all():
                raise BadDataError(
                    f"the network's answer to tile {row} of {sensor} is not a number everywhere",
                    next_step="train the model again: its weights are broken, or too large",
                )
            yield from tile_parts(prediction, probability, truth, counted, settings.block_m)

    return BlockProbabilities.of(parts(), labelled=target is not None)


def tile_parts(
    place: GeoArray, probability: npt.NDArray[np.float32], truth: Mask, counted: Mask, block_m: float
) -> Iterator[tuple[str, ProbabilityHistogram]]:
    """Yield the ground blocks that a tile lies in, each with the probabilities of its pixels there.

    Args:
        place: Any raster of the tile, which says where its pixels lie.
        probability: Probability of the target, (H, W), turned as ``place`` is, as are the others.
        truth: True where the target is, (H, W); nowhere if that is not known.
        counted: True where a pixel counts, (H, W).
        block_m: Side of a ground block, metres.
    """
    height, width = place.shape
    north_up = place.north_up().transform
    for part in block_parts(
        x_left_m=north_up.c,
        y_top_m=north_up.f,
        gsd_m=north_up.a,
        height=height,
        width=width,
        orientation=place.orientation,
        block_m=block_m,
    ):
        cut = part.rows, part.cols
        yield part.block, ProbabilityHistogram.of(probability[cut], truth[cut], counted[cut])


def _labels(store: Store, sensor: str) -> StoredLayer | None:
    """Return the labels of a sensor's tiles; None where it has none."""
    try:
        return store.layer(sensor, "target")
    except MissingInputError:
        return None
