"""Statistics of a sensor's tiles: frequencies of the source's classes, moments of either sensor's bands."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from components.contract.errors import BadDataError
from components.lib.engine.parameters import TrainingParameters
from components.lib.selftraining.contrast import ClassContrast, looked_at
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from components.lib.tasks.labels import target_of

TILES = 256
"""Tiles looked at, evenly spread."""

BATCHES = 16
"""Batches that a sensor's normalisation is estimated from."""

_EVERY = 4


def class_shares(store: Store, sensor: str, rows: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Return the shares of background and of building in the pixels with data, from a lattice of samples.

    Args:
        store: The prepared tiles.
        sensor: One with labels that may be trained on.
        rows: Its rows to look at.
    """
    sar, target = store.layer(sensor, "sar"), store.layer(sensor, "target")
    buildings = valid = 0
    for row in _spread(rows):
        data = sar[row, ::_EVERY, ::_EVERY].any(axis=-1)
        valid += int(np.count_nonzero(data))
        buildings += int(np.count_nonzero(target_of(target[row, ::_EVERY, ::_EVERY]) & data))
    share = buildings / max(valid, 1)
    return 1 - share, share


def class_contrast(store: Store, sensor: str, rows: npt.NDArray[np.integer]) -> tuple[float, ...]:
    """Return how buildings stand out in the truth of a sensor that may be trained on.

    Args as :func:`class_shares`; values as ``ClassContrast.value``.
    """
    sar, target = store.layer(sensor, "sar"), store.layer(sensor, "target")
    contrast = ClassContrast(sar.shape[-1])
    for row in rows[sorted(looked_at(len(rows)))]:
        contrast.add(sar[row], target_of(target[row]).astype(np.uint8))
    return contrast.value()


def band_moments(store: Store, sensor: str, rows: npt.NDArray[np.integer]) -> tuple[Tensor, Tensor]:
    """Return mean and deviation per band, (C,) float32 each, of the pixels with data, from a lattice."""
    sar = store.layer(sensor, "sar")
    tiles = (np.asarray(sar[row, ::_EVERY, ::_EVERY]) for row in _spread(rows))
    values = np.concatenate([tile[tile.any(axis=-1)] for tile in tiles]).astype(np.float64)
    if len(values) == 0:
        raise BadDataError(
            f"{sensor}: its train tiles hold no pixel with data",
            next_step="see nodata_share in the store's index, and validate.max_nodata_share in params.yaml",
        )
    mean, std = torch.from_numpy(values.mean(axis=0)), torch.from_numpy(values.std(axis=0))
    return mean.float(), std.float()


def training_crops(
    store: Store, sensor: str, rows: npt.NDArray[np.integer], training: TrainingParameters
) -> Iterator[Tensor]:
    """Yield ``BATCHES`` batches of images cut as training cuts them, unzoomed, (B, C, crop, crop).

    Statistics are taken from these, not from whole tiles: those have a share of no-data and pooled features
    that no training batch has, and cost the source a third of its IoU when it was seen through them
    (simulated, one seed).
    """
    sampler = CropSampler(
        store, sensor, rows, ("sar",), crop=training.crop, batch=training.batch, seed=training.seed
    )
    for step in range(BATCHES):
        yield torch.from_numpy(sampler.batch(step)["sar"]).permute(0, 3, 1, 2)


def _spread(rows: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return at most ``TILES`` rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(TILES, len(rows))).round().astype(np.int64)]
