"""From a task to a published model: the part that the paired training stages have in common."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.lib.datasets.sensors import get_sensor
from components.lib.engine.checkpoint import fingerprint_of
from components.lib.engine.device import precision_of, resolve_device
from components.lib.engine.inputs import paired_rows
from components.lib.engine.loop import FitResult, OnLog, fit
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.progress import Record
from components.lib.engine.ranks import ranks
from components.lib.engine.selection import selection_scores
from components.lib.engine.task import Arrays, TrainingTask
from components.lib.files import atomic_file, write_json
from components.lib.nets.bundle import save_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import track_run

CHECKPOINTS = Path("var/checkpoints")
_SCORES = ("iou", "f1", "precision", "recall")


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """One training and where its results go.

    Attributes:
        name: Of the run and of the folders of its checkpoint and reports: ``optical``, ``distill/none``.
        task: What is trained.
        net: The part of it that is published.
        batches: As :func:`components.lib.engine.fit` takes them.
        steps: Optimiser steps.
        epochs: Passes over the train tiles that they are.
        store: The training data.
        sensor: Whose tiles they are.
        provenance: What the model is made from; names the checkpoint and is stored with the model.
        model_folder: Where the bundle goes.
    """

    name: str
    task: TrainingTask
    net: SegmentationNetwork
    batches: Callable[[int], Arrays]
    steps: int
    epochs: int
    store: Store
    sensor: str
    provenance: dict[str, Any]
    model_folder: Path


def train_and_publish(
    run: StageRun, training: TrainingParameters, tracking: TrackingParameters
) -> dict[str, Any]:
    """Train, score on the selection split, and write the bundle, ``metrics.json`` and ``curve.csv``.

    Of the processes of a ``torchrun`` the first does all that; the others leave with exit code 0 when the
    training is done.

    Returns:
        What ``metrics.json`` holds. The test split is never looked at.

    Raises:
        BadDataError: If the selection split has no paired tiles.
        ParameterError, ResourceError: As :func:`components.lib.engine.fit`.
    """
    # Asked for now: a split without tiles must not cost a training first.
    paired_rows(run.store, run.sensor, "selection")
    if not ranks().main:
        _fit(run, training)
        raise SystemExit(0)
    simulated = get_sensor(run.sensor).simulated
    tags = {"stage": run.name, "sensor": run.sensor, "simulated": str(simulated).lower()}
    with track_run(tracking, run.name, params=run.provenance, tags=tags) as tracked:
        result = _fit(run, training, lambda step, record: tracked.log_metrics(_terms(record), step))
        metrics = _metrics(run, training, result, simulated=simulated)
        tracked.log_metrics({f"selection_{key}": metrics[key] for key in _SCORES}, run.steps)
        # Without the time it took: equal inputs must give an equal bundle.
        lasting = {key: value for key, value in metrics.items() if key != "seconds"}
        save_bundle(run.model_folder, run.net, {**run.provenance, "metrics": lasting})
    reports = Path("reports") / run.name
    write_curve(reports / "curve.csv", result.history)
    write_json(reports / "metrics.json", metrics)
    return metrics


def write_curve(path: Path, history: list[Record]) -> None:
    """Write one line per logged step: step, lr, loss and its terms."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _fit(run: StageRun, training: TrainingParameters, on_log: OnLog | None = None) -> FitResult:
    return fit(
        run.task,
        run.batches,
        training,
        run.steps,
        name=run.name,
        checkpoint_dir=CHECKPOINTS / run.name,
        epochs=run.epochs,
        fingerprint=fingerprint_of(run.provenance),
        on_log=on_log,
    )


def _terms(record: Record) -> Record:
    return {key: value for key, value in record.items() if key != "step"}


def _metrics(
    run: StageRun, training: TrainingParameters, result: FitResult, *, simulated: bool
) -> dict[str, Any]:
    device = resolve_device(training)
    return {
        **selection_scores(run.net, run.store, run.sensor, device),
        "split": "selection",
        "sensor": run.sensor,
        "simulated": simulated,
        "steps": run.steps,
        "seconds": round(result.seconds, 1),
        "parameters": sum(parameter.numel() for parameter in run.net.parameters()),
        "device": device.type,
        "number_format": precision_of(training, device),
    }
