"""One adaptation: train, score on the selection splits, publish."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from components.adapt.batches import adaptation_batches
from components.adapt.labels import LabelFolder
from components.adapt.parameters import AdaptParameters
from components.adapt.report import selection_scores, write_curve
from components.adapt.rounds import round_starts
from components.adapt.supervision import FirstRoundCollapsedError, PseudoLabels
from components.adapt.survey import band_moments, training_crops
from components.adapt.task import AdaptationTask, estimate
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.checkpoint import fingerprint_of
from components.lib.engine.device import resolve_device
from components.lib.engine.inputs import paired_rows, steps_of
from components.lib.engine.loop import fit
from components.lib.engine.parameters import TrainingParameters
from components.lib.files import write_json
from components.lib.nets.bundle import save_bundle
from components.lib.nets.csn import REFERENCE_MOMENTUM, convert_to_csn
from components.lib.nets.network import SegmentationNetwork
from components.lib.selftraining.collapse import CollapseLimits
from components.lib.store.store import Store
from components.lib.tracking.run import TrackedRun

LOG = logging.getLogger(__name__)
ADAPTED = Path("models/adapted")
REPORTS = Path("reports/adapt")
CHECKPOINTS = Path("var/checkpoints/adapt")


@dataclass(frozen=True)
class _Training:
    """What a training leaves: its losses, its time, and why self-training stopped, if it did."""

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdaptRun:
    """One adaptation.

    Attributes:
        net: The network, not yet sensor-specific.
        store: The prepared tiles.
        source: Sensor with labels.
        target: Sensor without.
        parameters: Section `adapt`.
        training: Section `training`, with this stage's rate.
        labels: Where the target's pseudo-labels lie, and how they are made.
        truth_shares: Share of each class in the source's truth.
        provenance: What the model is made from.
    """

    net: SegmentationNetwork
    store: Store
    source: str
    target: str
    parameters: AdaptParameters
    training: TrainingParameters
    labels: LabelFolder
    truth_shares: tuple[float, ...]
    provenance: dict[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        """Of the tracked run."""
        return {"stage": "adapt", "sensor": self.target, "simulated": str(self.simulated).lower()}

    @property
    def simulated(self) -> bool:
        """Whether either sensor is of the rehearsal world."""
        return any(get_sensor(name).simulated for name in (self.source, self.target))

    @property
    def steps(self) -> int:
        """Optimiser steps, counted on the source's tiles; none without labels of any kind."""
        chosen = self.parameters
        if chosen.labels == "none":
            return 0
        tiles = len(paired_rows(self.store, self.source, "train"))
        return steps_of(chosen.epochs, tiles, chosen.crops_per_tile, self.training.batch)

    @property
    def starts(self) -> list[int]:
        """First step of each round of pseudo-labels."""
        if self.parameters.labels != "pseudo":
            return []
        return round_starts(
            self.steps, warmup_share=self.parameters.warmup_share, rounds=self.parameters.rounds
        )

    def execute(self, tracked: TrackedRun) -> dict[str, Any]:
        """Train, score on the selection splits, publish; the content of ``metrics.json``."""
        before = self._scores(adapted=False)
        self._convert()
        if self.parameters.labels == "truth":
            LOG.warning("adapt.labels is truth: the target's labels are trained on; for evidence only")
        training = self._train(tracked) if self.steps else _Training()
        if self.steps == 0:
            self._estimate()
        metrics = {
            "adapted": True,
            "start_from": self.parameters.start_from,
            "source": self.source,
            "target": self.target,
            "labels": self.parameters.labels,
            "target_labels_used": self.parameters.labels == "truth",
            "normalisation": self.parameters.normalisation,
            "inputs": self.parameters.inputs,
            "stems": self.parameters.stems,
            "scales": list(self.labels.settings.scales),
            "simulated": self.simulated,
            "steps": self.steps,
            "stopped": training.stopped,
            "split": "selection",
            "before": before,
            "after": self._scores(adapted=True),
            "rounds": [
                {"step": step, **summary}
                for step, summary in zip(
                    self.starts, self.labels.summaries(len(self.starts)), strict=training.stopped is None
                )
            ],
        }
        facts = {"adapted": True, "target_labels_used": metrics["target_labels_used"], "metrics": metrics}
        # The bundle goes without the time it took: equal inputs must give an equal model.
        save_bundle(ADAPTED, self.net, {**self.provenance, **facts})
        write_curve(REPORTS / "curve.csv", training.history)
        metrics = {**metrics, "seconds": round(training.seconds, 1)}
        write_json(REPORTS / "metrics.json", metrics)
        self.labels.remove()
        return metrics

    def _convert(self) -> None:
        """Teach the network's layers the target."""
        shared = self.parameters.normalisation == "shared"
        update = {"stems": self.parameters.stems, "inputs": self.parameters.inputs}
        self.net.config = self.net.config.model_copy(update=update)
        convert_to_csn(
            self.net,
            (*self.net.config.sensors, self.target),
            # Shared statistics are those of ordinary batch normalisation, with the encoder's own momentum.
            momentum=None if shared else REFERENCE_MOMENTUM,
            tied=shared,
        )
        if self.net.sensor_input is not None:
            seen = band_moments(self.store, self.source, paired_rows(self.store, self.source, "train"))
            self.net.sensor_input.match(
                self.target, band_moments(self.store, self.target, self.labels.rows), seen
            )

    @property
    def _survey(self) -> Callable[[], Iterable[Tensor]] | None:
        """Gives the images that the target's own statistics are taken from; None where it has none such."""
        chosen = self.parameters
        if chosen.statistics != "reestimated" or chosen.normalisation != "per_sensor":
            return None
        return lambda: training_crops(self.store, self.target, self.labels.rows, self.training)

    def _estimate(self) -> None:
        """The target's statistics from its images, where it has its own."""
        if self._survey is not None:
            estimate(self.net.to(resolve_device(self.training)), self.target, self._survey())

    def _train(self, tracked: TrackedRun) -> _Training:
        task = self._task()
        truth = self.parameters.labels == "truth"
        batches = adaptation_batches(
            self.store,
            source=self.source,
            source_rows=paired_rows(self.store, self.source, "train"),
            labels=self.labels,
            training=self.training,
            first_target_step=task.first_target_step,
            target_truth=truth,
        )
        logged: list[dict[str, float]] = []

        def log(step: int, record: dict[str, float]) -> None:
            logged.append(record)
            tracked.log_metrics(record, step)

        try:
            result = fit(
                task,
                batches,
                self.training,
                self.steps,
                name="adapt",
                checkpoint_dir=CHECKPOINTS / "training",
                epochs=self.parameters.epochs,
                fingerprint=fingerprint_of(self.provenance, torch.__version__),
                on_log=log,
            )
        except FirstRoundCollapsedError as collapse:
            return self._stopped(str(collapse), logged)
        return _Training(result.history, result.seconds)

    def _stopped(self, reason: str, logged: list[dict[str, float]]) -> _Training:
        """What the warm-up left, with the target's statistics from its images where it has its own."""
        LOG.warning(
            "adapt: self-training stopped before it began (%s); published is the network of the warm-up, "
            "with the target's statistics re-estimated",
            reason,
        )
        shutil.rmtree(CHECKPOINTS / "training", ignore_errors=True)
        self._estimate()
        return _Training(logged, stopped=reason)

    def _task(self) -> AdaptationTask:
        chosen, starts = self.parameters, self.starts
        return AdaptationTask(
            self.net,
            source=self.source,
            target=self.target,
            first_target_step=starts[0] if starts else 0,
            target_weight=chosen.target_weight,
            pseudo=self._pseudo(starts) if starts else None,
            target_loss="ce_dice" if chosen.labels == "truth" else chosen.target_loss,
            survey=self._survey,
            contour_weight=self.training.contour_weight,
            crop=self.training.crop,
        )

    def _pseudo(self, starts: Sequence[int]) -> PseudoLabels:
        if self.parameters.guard is None:
            return PseudoLabels(self.labels, starts)
        return PseudoLabels(
            self.labels,
            starts,
            guard=CollapseLimits(**self.parameters.guard.model_dump()),
            truth_shares=self.truth_shares,
        )

    def _scores(self, *, adapted: bool) -> dict[str, dict[str, float] | None]:
        """Selection scores by role; before adaptation the source's statistics serve both sensors."""
        device = resolve_device(self.training)
        return {
            role: selection_scores(
                self.net, self.store, sensor, statistics_of=sensor if adapted else self.source, device=device
            )
            for role, sensor in (("source", self.source), ("target", self.target))
        }
