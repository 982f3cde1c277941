"""Batches of labelled source crops and, after the warm-up, target crops."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from components.adapt.labels import LAYER, LabelFolder
from components.lib.engine.batch import Arrays
from components.lib.engine.crops import Sampler, crop_sampler, jitter_of
from components.lib.engine.jitter import ScaleJitter
from components.lib.engine.parameters import TrainingParameters
from components.lib.store.store import Store

TARGET_SEED = 0x5EED
"""Added to the seed for the target, so that the two sensors' crops are drawn independently."""


class AdaptationBatches:
    """One step's crops, a pure function of the step.

    The target's labels are not here, unless its sampler was asked for them: its crops come with where they
    were cut, and the task cuts the pseudo-labels of the round there.

    Args:
        source: Delivers the layers ``sar`` and ``target`` (the masks).
        target: Delivers ``sar``, and ``target`` where the sensor's own labels are trained on.
        target_rows: The target's rows in the order of the pseudo-labels, ascending.
        first_target_step: Steps before it see the source alone.
        jitter: Zoom of the crops of both sensors.
    """

    def __init__(
        self,
        source: Sampler,
        target: Sampler,
        target_rows: npt.NDArray[np.int64],
        first_target_step: int,
        jitter: ScaleJitter | None = None,
    ) -> None:
        self.source, self.target, self.jitter = source, target, jitter
        self.target_rows, self.first_target_step = target_rows, first_target_step

    def __call__(self, step: int) -> Arrays:
        """Return the arrays of ``step``.

        Returns:
            ``source_sar`` (B, c, c, 4) and ``source_labels`` (B, c, c, 1) uint8; from the first target step
            on ``target_sar`` (B, c, c, 4) uint8 and ``target_windows`` (B, 4) int64: index of the label map,
            first pixel row, first pixel column, 1 if mirrored; and ``target_labels`` (B, c, c, 1) where the
            sampler delivers them. With a zoom, c is what is cut and ``scales`` (B,) float32 goes with both.
        """
        arrays = _named("source", self.source.batch(step))
        if step >= self.first_target_step:
            arrays |= _named("target", self.target.batch(step))
            windows = self.target.windows(step)
            arrays["target_windows"] = np.array(
                [(np.searchsorted(self.target_rows, w.row), w.y, w.x, w.flip) for w in windows],
                dtype=np.int64,
            )
        if self.jitter is not None:
            arrays["scales"] = self.jitter.scales(step, self.source.batch_size)
        return arrays


def _named(role: str, layers: Arrays) -> dict[str, Any]:
    """Return the store's layers under the names of a sensor's role: ``sar``, and ``labels`` for the masks."""
    names = {"target": "labels"}
    return {f"{role}_{names.get(name, name)}": layer for name, layer in layers.items()}


def adaptation_batches(
    store: Store,
    *,
    source: str,
    source_rows: npt.NDArray[np.int64],
    labels: LabelFolder,
    training: TrainingParameters,
    first_target_step: int,
    target_truth: bool = False,
) -> AdaptationBatches:
    """Return batches of the source's ``source_rows`` and of the tiles that ``labels`` are for.

    Crop, zoom, batch (per sensor), store and seed are those of ``training``; ``target_truth`` adds the
    target's own labels.
    """

    def sampler(sensor: str, rows: npt.NDArray[np.int64], layers: tuple[str, ...], seed: int) -> Sampler:
        return crop_sampler(store, sensor, rows, layers, training=training, seed=seed)

    both = (LAYER, "target")
    return AdaptationBatches(
        sampler(source, source_rows, both, training.seed),
        sampler(labels.sensor, labels.rows, both if target_truth else (LAYER,), training.seed + TARGET_SEED),
        labels.rows,
        first_target_step,
        jitter_of(training),
    )
