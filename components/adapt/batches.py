"""Batches of labelled source crops and, after the warm-up, target crops."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.adapt.labels import LAYER, LabelFolder
from components.lib.engine.crops import Sampler, crop_sampler, jitter_of
from components.lib.engine.jitter import ScaleJitter
from components.lib.engine.parameters import TrainingParameters
from components.lib.store.store import Store

Arrays = dict[str, Any]
"""Arrays, or tensors that are on the device already."""
Rows = np.ndarray[Any, np.dtype[np.int64]]

TARGET_SEED = 0x5EED
"""Added to the seed for the target, so that the two sensors' crops are drawn independently."""


class AdaptationBatches:
    """One step's crops, a pure function of the step.

    The target's labels are not here, unless its sampler was asked for them: its crops come with where they
    were cut, and the task cuts the pseudo-labels of the round there.

    Args:
        source: Delivers ``sar`` and ``target`` (the masks).
        target: Delivers ``sar``, and ``target`` where its own labels are trained on.
        target_rows: The target's rows in the order of the pseudo-labels, ascending.
        first_target_step: Steps before it see the source alone.
        jitter: Zoom of the crops of both sensors.
    """

    def __init__(
        self,
        source: Sampler,
        target: Sampler,
        target_rows: Rows,
        first_target_step: int,
        jitter: ScaleJitter | None = None,
    ) -> None:
        self.source, self.target, self.jitter = source, target, jitter
        self.target_rows, self.first_target_step = target_rows, first_target_step

    def __call__(self, step: int) -> Arrays:
        """Arrays of ``step``.

        Returns:
            ``source_sar`` (B, c, c, 4) and ``source_target`` (B, c, c, 1) uint8; from the first target step
            on ``target_sar`` (B, c, c, 4) uint8 and ``target_windows`` (B, 4) int64: which label map, first
            pixel row, first pixel column, mirrored or not; and ``target_target`` (B, c, c, 1) where the
            sampler delivers it. With a zoom, c is what is cut and ``scales`` (B,) float32 goes with both.
        """
        arrays: Arrays = {f"source_{name}": layer for name, layer in self.source.batch(step).items()}
        if step >= self.first_target_step:
            arrays |= {f"target_{name}": layer for name, layer in self.target.batch(step).items()}
            windows = self.target.windows(step)
            arrays["target_windows"] = np.array(
                [(np.searchsorted(self.target_rows, w.row), w.y, w.x, w.flip) for w in windows],
                dtype=np.int64,
            )
        if self.jitter is not None:
            arrays["scales"] = self.jitter.scales(step, self.source.batch_size)
        return arrays


def adaptation_batches(
    store: Store,
    *,
    source: str,
    source_rows: Rows,
    labels: LabelFolder,
    training: TrainingParameters,
    first_target_step: int,
    target_truth: bool = False,
) -> AdaptationBatches:
    """Batches of the source's ``source_rows`` and of the tiles that ``labels`` are for.

    Crop, zoom, batch (per sensor), store and seed are those of ``training``; ``target_truth`` adds the
    target's own labels.
    """

    def sampler(sensor: str, rows: Rows, layers: tuple[str, ...], seed: int) -> Sampler:
        return crop_sampler(store, sensor, rows, layers, training=training, seed=seed)

    both = (LAYER, "target")
    return AdaptationBatches(
        sampler(source, source_rows, both, training.seed),
        sampler(labels.sensor, labels.rows, both if target_truth else (LAYER,), training.seed + TARGET_SEED),
        labels.rows,
        first_target_step,
        jitter_of(training),
    )
