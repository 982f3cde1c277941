"""Crops of one sensor as training takes them: drawn by the sampler, with the scales they are zoomed by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from components.lib.engine.jitter import ScaleJitter
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.task import Arrays
from components.lib.store import CropSampler, Store


def crop_batches(
    store: Store,
    sensor: str,
    rows: npt.NDArray[np.integer],
    layers: Sequence[str],
    training: TrainingParameters,
    *,
    rot90: bool = False,
) -> Callable[[int], Arrays]:
    """Batches of crops, a pure function of the step.

    Args:
        store: The store.
        sensor: Which sensor's tiles.
        rows: Rows to draw from.
        layers: Layers to deliver.
        training: Section `training`: crop, batch, seed and zoom.
        rot90: Quarter turns, for optical images only.

    Returns:
        Of a step, layers by name, (B, side, side, C) uint8. With ``training.scale_jitter`` the side is larger
        than the crop, and ``scales`` (B,) float32 says by how much to zoom each (:func:`zoom`).

    Raises:
        ParameterError: If what is cut does not fit into a tile.
        BadDataError: If ``rows`` is empty.
    """
    jitter = jitter_of(training)
    sampler = CropSampler(
        store,
        sensor,
        rows,
        layers=layers,
        crop=training.crop if jitter is None else jitter.source_px,
        batch=training.batch,
        seed=training.seed,
        rot90=rot90,
    )
    if jitter is None:
        return sampler.batch

    def batches(step: int) -> Arrays:
        return {**sampler.batch(step), "scales": jitter.scales(step, training.batch)}

    return batches


def jitter_of(training: TrainingParameters) -> ScaleJitter | None:
    """The zoom that section `training` asks for."""
    if training.scale_jitter is None:
        return None
    return ScaleJitter(training.crop, *training.scale_jitter, seed=training.seed)
