"""Crops of one sensor as training takes them: drawn by the sampler, with the scales they are zoomed by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from components.lib.engine.batch import Arrays
from components.lib.engine.device import resolve_device
from components.lib.engine.device_sampler import DeviceSampler
from components.lib.engine.jitter import ScaleJitter
from components.lib.engine.parameters import TrainingParameters
from components.lib.store.sampler import CropSampler, Window
from components.lib.store.store import Store


class Sampler(Protocol):
    """Crops of one sensor as a pure function of the step, wherever the layers lie."""

    batch_size: int

    def windows(self, step: int) -> list[Window]:
        """Return the places of the crops of one step."""

    def batch(self, step: int) -> Arrays:
        """Layers by name: arrays (B, side, side, C), or tensors (B, C, side, side) on the device."""


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
        sensor: The tiles' sensor.
        rows: Rows to draw from.
        layers: Layers to deliver.
        training: Section `training`: crop, batch, seed and zoom.
        rot90: Quarter turns, for optical images only.

    Returns:
        Of a step, layers by name, (B, side, side, C) as stored; with ``training.store`` device tensors
        (B, C, side, side) that are there already. With ``training.scale_jitter`` the side is larger than the
        crop, and ``scales`` (B,) float32 says by how much to zoom each (:func:`zoom`).

    Raises:
        ParameterError: If what is cut does not fit into a tile.
        BadDataError: If ``rows`` is empty.
        ResourceError: If the layers are to lie on the device and do not fit there.
    """
    jitter = jitter_of(training)
    sampler = crop_sampler(store, sensor, rows, layers, training=training, seed=training.seed, rot90=rot90)
    if jitter is None:
        return sampler.batch

    def batches(step: int) -> Arrays:
        return {**sampler.batch(step), "scales": jitter.scales(step, training.batch)}

    return batches


def crop_sampler(
    store: Store,
    sensor: str,
    rows: npt.NDArray[np.integer],
    layers: Sequence[str],
    *,
    training: TrainingParameters,
    seed: int,
    rot90: bool = False,
) -> Sampler:
    """Return the sampler that ``training.store`` asks for; both kinds deliver the same pixels.

    Args:
        store: The store.
        sensor: The tiles' sensor.
        rows: Rows to draw from.
        layers: Layers to deliver.
        training: Section `training`: crop, batch, zoom, store and device.
        seed: Seed of the sequence of crops.
        rot90: Quarter turns, for optical images only.

    Raises:
        ParameterError: If what is cut does not fit into a tile.
        BadDataError: If ``rows`` is empty.
        ResourceError: If the layers are to lie on the device and do not fit there.
    """
    jitter = jitter_of(training)
    height, width = store.layer(sensor, layers[0]).shape[1:3]
    training.require_fitting(min(height, width), f"{sensor}'s tiles")
    host = CropSampler(
        store,
        sensor,
        rows,
        layers=layers,
        crop=training.crop if jitter is None else jitter.source_px,
        batch=training.batch,
        seed=seed,
        rot90=rot90,
    )
    return host if training.store == "host" else DeviceSampler(host, resolve_device(training))


def jitter_of(training: TrainingParameters) -> ScaleJitter | None:
    """Return the zoom that section `training` asks for."""
    if training.scale_jitter is None:
        return None
    return ScaleJitter(training.crop, *training.scale_jitter, seed=training.seed)
