"""Training of a change method: network, crops and schedule."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.change.parameters import ChangeTraining
from components.contract.errors import BadDataError
from components.lib.change.nets.bundle import build_change, save_change
from components.lib.change.nets.config import ChangeConfig, DateConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.store.crops import PairCrops
from components.lib.change.store.layout import LABEL, layer_name
from components.lib.change.store.store import PairStore
from components.lib.change.training.augmentation import Augmentation
from components.lib.change.training.method import ChangeMethod, ChangeMethodParameters
from components.lib.change.training.presets import Preset
from components.lib.change.training.statistics import date_statistics
from components.lib.change.training.task import ChangeTask
from components.lib.change.training.validation import Validation
from components.lib.engine.batch import Arrays
from components.lib.engine.device import resolve_device
from components.lib.engine.loop import FitResult, seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.run import TrainingRun
from components.lib.metrics.probabilities import HALF

MODELS = Path("models/change")
HEADLINE = ("f1", "iou", "f1_half", "threshold", "seconds")
"""Numbers of a training that the DVC metric shows; all others are in ``details.json``."""
_LOG = logging.getLogger(__name__)
_UNCHANGED = {
    "train": "so that nothing can be learned from it",
    "val": "so that F1 is 0 whatever the network finds, and the threshold stays one half",
}
"""Consequence of a split without change."""
_SCORES = ("f1", "iou", "precision", "recall", "f1_half", "pr_auc", "threshold")


@dataclass(frozen=True, kw_only=True)
class ChangeRun(TrainingRun):
    """Training of one change network.

    Attributes:
        task: Network, losses and the schedule's state.
        net: The network.
        validation: Tiles of the split `val`, for the threshold and the scores of the report.
        preset: Schedule.
        rehearsal: True if the pairs are simulated.
    """

    task: ChangeTask
    net: ChangeNetwork
    validation: Validation
    preset: Preset
    rehearsal: bool

    @property
    def simulated(self) -> bool:
        """True if the pairs are of the rehearsal world."""
        return self.rehearsal

    def metrics(self, result: FitResult) -> dict[str, Any]:
        """Choose the network's threshold on the split `val`; return the content of ``details.json``."""
        device = resolve_device(self.training)
        histogram = self.validation.histogram(self.net.to(device))
        threshold = histogram.best_threshold()
        self.net.config = self.net.config.model_copy(update={"threshold": threshold})
        half = histogram.counts(HALF)
        return {
            **histogram.counts(threshold).as_dict(),
            "threshold": threshold,
            "f1_half": half.f1,
            "iou_half": half.iou,
            "pr_auc": histogram.average_precision(),
            "pixels": "whole tiles of the store",
            "tiles": len(self.validation.rows),
            "split": "val",
            "data_set": self.sensor,
            "f1_by_evaluation": [round(score, 6) for score in self.task.plateau.scores],
            "first_evaluation": self.preset.first_evaluation,
            "rate_falls": self.task.plateau.falls,
            **self.facts(),
        }

    def tracked_metrics(self, metrics: dict[str, Any]) -> dict[str, float]:
        """Return the scores among ``metrics`` under the names that experiment tracking shows."""
        return {f"val_{key}": metrics[key] for key in _SCORES}

    def headline(self, details: dict[str, Any]) -> dict[str, float]:
        """Return the few numbers of ``metrics.json``, chosen from the details."""
        return {name: details[name] for name in HEADLINE}

    def publish(self, metadata: dict[str, Any]) -> None:
        """Write the bundle."""
        save_change(self.model_folder, self.net, metadata)


def prepare_run(
    method: ChangeMethod[Any],
    parameters: ChangeMethodParameters,
    store: PairStore,
    training: TrainingParameters,
    change: ChangeTraining,
) -> ChangeRun:
    """Return the training of one change method.

    Args:
        method: The method.
        parameters: Its own section.
        store: Pairs; the splits `train` and `val` are read, `test` never.
        training: Section `training`, for device, precision, seed and intervals.
        change: Section `change`.

    Raises:
        BadDataError: If a split is empty or has no known pixel, or a date has no data.
        MissingInputError: If the store has no images of a date's modality.
        ParameterError: If a crop does not fit into a tile, or the encoder is unknown.
    """
    preset = change.schedule(parameters.lr)
    rows = {split: _rows(store, split) for split in ("train", "val")}
    training = training.model_copy(update=_settings(preset, change))
    dates = [
        _date(store, date, modality, rows["train"])
        for date, modality in (("before", change.before), ("after", change.after))
    ]
    crops = PairCrops(
        store,
        rows["train"],
        before=change.before,
        after=change.after,
        crop=change.crop,
        batch=preset.batch,
        seed=training.seed,
        change_share=change.change_share,
    )
    seed_everything(training.seed)
    config = ChangeConfig(
        kind=method.name,
        before=dates[0],
        after=dates[1],
        dropout=preset.dropout,
        **method.network_options(parameters),
    )
    net = build_change(config)
    augmentation = Augmentation(config, preset.noise, training.seed)
    validation = Validation(
        before=store.layer(layer_name("before", change.before)),
        after=store.layer(layer_name("after", change.after)),
        label=store.layer(LABEL),
        rows=rows["val"],
        pixels=2 * preset.batch * change.crop**2,
    )
    steps_per_epoch = math.ceil(len(rows["train"]) * change.crops_per_tile / preset.batch)
    task = ChangeTask(
        net,
        method.losses,
        augmentation,
        preset,
        steps_per_epoch=steps_per_epoch,
        validate=validation.f1,
    )

    def batches(step: int) -> Arrays:
        return {**crops.batch(step), **augmentation.draw(step, preset.batch)}

    sections = {"change": change, f"methods.{method.name}": parameters, "preset": preset}
    return ChangeRun(
        name=f"change/{method.name}",
        task=task,
        net=net,
        batches=batches,
        steps=preset.epochs * steps_per_epoch,
        epochs=preset.epochs,
        sensor=store.facts.data_set,
        training=training,
        provenance=provenance(f"change@{method.name}", store, training, sections),
        model_folder=MODELS / method.name,
        validation=validation,
        preset=preset,
        rehearsal=store.facts.simulated,
    )


def _settings(preset: Preset, change: ChangeTraining) -> dict[str, Any]:
    """Return what a schedule changes in section `training`."""
    return {
        "crop": change.crop,
        "batch": preset.batch,
        "optimiser": "adamw",
        "lr": preset.lr,
        "warmup_share": 0.0,
        "schedule": preset.schedule,
        "weight_decay": preset.weight_decay,
        "clip_norm": preset.clip_norm,
        "average_share": None,
        "scale_jitter": None,
        "contour_weight": 0.0,
    }


def _rows(store: PairStore, split: str) -> npt.NDArray[np.int64]:
    rows = store.rows(split)
    if rows.size == 0:
        raise BadDataError(
            f"data set {store.facts.data_set} in {store.folder}: the split {split} holds no tile",
            next_step=f"see reports/pairs/{store.facts.data_set}/details.json; choose a data set with that "
            "split, or more pairs",
        )
    tiles = store.index.iloc[rows]
    if not tiles["known_share"].any():
        raise BadDataError(
            f"data set {store.facts.data_set} in {store.folder}: the split {split} has no known pixel in any "
            f"of its {len(tiles)} tiles",
            next_step=f"look at reports/pairs/{store.facts.data_set}/sheet.png; correct labels and images",
        )
    if not tiles["changed_share"].any():
        _LOG.warning("%s: split %s has no changed pixel, %s", store.facts.data_set, split, _UNCHANGED[split])
    return rows


def _date(store: PairStore, date: str, modality: Any, rows: npt.NDArray[np.int64]) -> DateConfig:  # noqa: ANN401
    name = layer_name(date, modality)
    mean, std = date_statistics(store.layer(name), rows, name)
    return DateConfig.of(modality, sensor=store.facts.data_set, mean=mean, std=std)
