"""Training, scoring and publishing of a prepared run: the path that all training stages take."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from components.contract.identity import pipeline_identity
from components.contract.parameters import PARAMS_FILE
from components.lib.disk import require_writable
from components.lib.engine.batch import Arrays
from components.lib.engine.checkpoint import CheckpointFile, fingerprint_of
from components.lib.engine.device import precision_of, resolve_device
from components.lib.engine.loop import FitResult, OnLog, fit
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.progress import Record
from components.lib.engine.ranks import ranks
from components.lib.engine.task import TrainingStoppedError, TrainingTask
from components.lib.files import atomic_file, write_json
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import track_run

CHECKPOINTS = Path("var/checkpoints")
REPORTS = Path("reports")
CHECKPOINT_COPIES = 8
"""Space that checkpoints take at most, in sizes of the published network."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun(ABC):
    """One training and where its results go.

    Attributes:
        name: Name of the run and of the folders of its checkpoint and reports: ``distill/none``.
        task: Networks and losses to train.
        net: The part of it that is published.
        batches: Layers of a step, as :func:`components.lib.engine.loop.fit` takes them.
        steps: Optimiser steps; with 0 nothing is trained.
        epochs: Passes over the train tiles that they are.
        sensor: Sensor of the images, for experiment tracking.
        training: Section `training`, with the run's own learning rate and batch size.
        provenance: Facts that the model is made from; they name the checkpoint and are stored with the model.
        model_folder: Folder of the model.
        columns: Columns of the curve; None for all that were logged.
    """

    name: str
    task: TrainingTask
    net: nn.Module
    batches: Callable[[int], Arrays]
    steps: int
    epochs: int
    sensor: str
    training: TrainingParameters
    provenance: dict[str, Any]
    model_folder: Path
    columns: ClassVar[tuple[str, ...] | None] = None

    @property
    @abstractmethod
    def simulated(self) -> bool:
        """True if the tiles are of the rehearsal world."""

    def facts(self) -> dict[str, Any]:
        """Return what ``details.json`` states of every training, scored or not."""
        device = resolve_device(self.training)
        return {
            "simulated": self.simulated,
            "steps": self.steps,
            "parameters": sum(parameter.numel() for parameter in self.net.parameters()),
            "device": device.type,
            "number_format": precision_of(self.training, device),
        }

    def finish(self, result: FitResult) -> None:
        """Change the network after its last step, before it is scored; the default leaves it."""
        return

    @abstractmethod
    def metrics(self, result: FitResult) -> dict[str, Any]:
        """Choose the network's threshold; return the content of ``details.json``.

        The time that the training took is added later.
        """

    @abstractmethod
    def tracked_metrics(self, metrics: dict[str, Any]) -> dict[str, float]:
        """Return the scores among ``metrics`` under the names that experiment tracking shows."""

    @abstractmethod
    def headline(self, details: dict[str, Any]) -> dict[str, float]:
        """Return the few numbers of ``metrics.json``, chosen from the details."""

    @abstractmethod
    def publish(self, metadata: dict[str, Any]) -> None:
        """Write the network and ``metadata`` to :attr:`model_folder`."""

    def metadata(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """Return what is stored with the model; the threads are those that there were, asked for or not."""
        return {**self.provenance, "threads": torch.get_num_threads(), "metrics": metrics}

    def clean_up(self) -> None:
        """Remove scratch files after everything is published; by default there are none."""
        return


def train_and_publish(run: TrainingRun, tracking: TrackingParameters) -> dict[str, Any]:
    """Train, score on the split that chooses thresholds, and write bundle, metrics, details and curve.

    Of the processes of a ``torchrun`` the first does all that; the others leave with exit code 0 when the
    training is done. The test split is never read.

    Returns:
        The content of ``details.json``.

    Raises:
        ParameterError, ResourceError: As :func:`components.lib.engine.loop.fit`.
        ResourceError: Before the first step, if model, reports or checkpoints cannot be written.
    """
    if ranks().is_main:
        _require_room(run)
    else:
        _fit(run)
        raise SystemExit(0)
    with track_run(tracking, run.name, params=run.provenance, tags=_tags(run)) as tracked:
        result = _fit(run, lambda step, record: tracked.log_metrics(_terms(record), step))
        run.finish(result)
        metrics = run.metrics(result)
        tracked.log_metrics(run.tracked_metrics(metrics), run.steps)
        # Without the time it took: equal inputs must give an equal bundle.
        run.publish(run.metadata(metrics))
    metrics = {**metrics, "seconds": round(result.seconds, 1)}
    headline = {**run.headline(metrics), **_throughput(run, result)}
    write_report(run.name, headline, metrics, result.history, run.columns)
    run.clean_up()
    return metrics


def _throughput(run: TrainingRun, result: FitResult) -> dict[str, float]:
    """Return the crops of one sensor that a second of training took in; nothing without any training."""
    done = result.history[-1]["step"] if result.history else 0
    return {"crops_per_second": done * run.training.batch / result.seconds} if done and result.seconds else {}


def _require_room(run: TrainingRun) -> None:
    """Check, before hours of training, that its results can be written."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in run.net.state_dict().values())
    require_writable(run.model_folder.parent, size)
    require_writable(REPORTS / run.name)
    # Weights, their average and two moments of all networks; the former checkpoint until it is replaced.
    require_writable(CHECKPOINTS / run.name, CHECKPOINT_COPIES * size)


def _tags(run: TrainingRun) -> dict[str, str]:
    """Return the tags of the tracked run; its identities are those of decisions, run records and keys."""
    tags = {"stage": run.name, "sensor": run.sensor, "simulated": str(run.simulated).lower()}
    if not PARAMS_FILE.exists():  # a training by code of one's own, outside of a pipeline
        return tags
    return {**tags, **pipeline_identity().as_tags(), "data_sha256": str(run.provenance["data_sha256"])}


def write_report(
    name: str,
    headline: Mapping[str, float],
    details: Mapping[str, Any],
    history: Sequence[Record],
    columns: Sequence[str] | None = None,
) -> None:
    """Write ``metrics.json``, ``details.json`` and ``curve.csv`` below ``reports/<name>``.

    Args:
        name: Name of the run.
        headline: Content of ``metrics.json``, the DVC metric: at most 8 numbers, each rounded to four digits.
        details: Content of ``details.json``: all scores and facts.
        history: Logged records: step, lr, loss and its terms.
        columns: Columns of the curve; None for those of the first record.
    """
    folder = REPORTS / name
    names = list(history[0]) if columns is None else columns
    with (
        atomic_file(folder / "curve.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as f,
    ):
        writer = csv.DictWriter(f, fieldnames=names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(history)
    write_json(folder / "metrics.json", {key: round(value, 4) for key, value in headline.items()})
    write_json(folder / "details.json", details)


def _fit(run: TrainingRun, on_log: OnLog | None = None) -> FitResult:
    """Train, if there is a step to take; where the task stops, its networks are as they were then."""
    if run.steps == 0:
        return FitResult([], 0.0, 0)
    folder, logged = CHECKPOINTS / run.name, list[Record]()

    def log(step: int, record: Record) -> None:
        logged.append(record)
        if on_log is not None:
            on_log(step, record)

    fingerprint = fingerprint_of(run.provenance, torch.__version__)
    try:
        return fit(
            run.task,
            run.batches,
            run.training,
            run.steps,
            name=run.name,
            checkpoint_dir=folder,
            epochs=run.epochs,
            fingerprint=fingerprint,
            on_log=log,
            published=run.net,
        )
    except TrainingStoppedError as stop:
        CheckpointFile(folder, fingerprint).remove()
        return FitResult(logged, 0.0, 0, stopped=str(stop))


def _terms(record: Record) -> Record:
    return {key: value for key, value in record.items() if key != "step"}
