"""The stage from a distilled network to an adapted one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from components.adapt.batches import adaptation_batches
from components.adapt.labels import LabelFolder
from components.adapt.parameters import AdaptParameters
from components.adapt.report import flat, selection_scores, write_curve
from components.adapt.rounds import round_starts
from components.adapt.task import AdaptationTask
from components.lib.engine import FitResult, TrainingParameters, fit, resolve_device
from components.lib.engine.checkpoint import fingerprint_of
from components.lib.engine.inputs import paired_rows, steps_of
from components.lib.engine.provenance import code_hash, provenance
from components.lib.errors import BadDataError, ParameterError
from components.lib.files import sha256_file, write_json
from components.lib.nets import SegmentationNetwork, convert_to_csn, load_bundle, save_bundle
from components.lib.nets.bundle import WEIGHTS
from components.lib.nets.csn import REFERENCE_MOMENTUM
from components.lib.selftraining import PseudoLabelSettings
from components.lib.sensors import get_sensor
from components.lib.store import Store
from components.lib.tracking import TrackedRun, TrackingParameters, track_run

LOG = logging.getLogger(__name__)
STORE = Path("data/prepared")
SOURCES = Path("models/sar")
ADAPTED = Path("models/adapted")
REPORTS = Path("reports/adapt")
CHECKPOINTS = Path("var/checkpoints/adapt")


def adapt(
    parameters: AdaptParameters, training: TrainingParameters, tracking: TrackingParameters
) -> dict[str, Any]:
    """Adapt ``models/sar/<start_from>`` to the target; writes ``models/adapted`` and ``reports/adapt``.

    Returns:
        The content of ``metrics.json``.

    Raises:
        MissingInputError: If the network or the store is absent.
        ParameterError: If the target is unknown, or a sensor that the network already knows.
        BadDataError: If one of the sensors has no train tiles.
    """
    start = SOURCES / parameters.start_from
    net = load_bundle(start)
    if parameters.target is None:
        return _publish_unchanged(net, parameters)
    if parameters.lr is not None:
        training = training.model_copy(update={"lr": parameters.lr})
    run = prepare_run(net, Store.open(STORE), parameters, training, parameters.target)
    with track_run(tracking, "adapt", params=run.provenance, tags=run.tags) as tracked:
        metrics = run.execute(tracked)
        tracked.log_metrics(flat(metrics), run.steps)
    return metrics


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
        provenance: What the model is made from.
    """

    net: SegmentationNetwork
    store: Store
    source: str
    target: str
    parameters: AdaptParameters
    training: TrainingParameters
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
        """Optimiser steps, counted on the source's tiles."""
        chosen = self.parameters
        tiles = len(paired_rows(self.store, self.source, "train"))
        return steps_of(chosen.epochs, tiles, chosen.crops_per_tile, self.training.batch)

    def execute(self, tracked: TrackedRun) -> dict[str, Any]:
        """Train, score on the selection splits, publish; the content of ``metrics.json``."""
        before = self._scores(adapted=False)
        convert_to_csn(self.net, (*self.net.config.sensors, self.target), momentum=REFERENCE_MOMENTUM)
        starts = round_starts(
            self.steps, warmup_share=self.parameters.warmup_share, rounds=self.parameters.rounds
        )
        labels = LabelFolder(
            CHECKPOINTS / "pseudo-labels",
            self.store,
            self.target,
            self.store.rows(self.target, "train"),
            labelling_of(self.parameters),
        )
        result = self._fit(labels, starts, tracked)
        metrics = {
            "adapted": True,
            "start_from": self.parameters.start_from,
            "source": self.source,
            "target": self.target,
            "simulated": self.simulated,
            "steps": self.steps,
            "seconds": round(result.seconds, 1),
            "split": "selection",
            "before": before,
            "after": self._scores(adapted=True),
            "rounds": [
                {"step": step, **summary}
                for step, summary in zip(starts, labels.summaries(len(starts)), strict=True)
            ],
        }
        save_bundle(ADAPTED, self.net, {**self.provenance, "adapted": True, "metrics": metrics})
        write_curve(REPORTS / "curve.csv", result.history)
        write_json(REPORTS / "metrics.json", metrics)
        labels.remove()
        return metrics

    def _fit(self, labels: LabelFolder, starts: list[int], tracked: TrackedRun) -> FitResult:
        task = AdaptationTask(
            self.net,
            source=self.source,
            labels=labels,
            starts=starts,
            target_weight=self.parameters.target_weight,
            reestimate=self.parameters.statistics == "reestimated",
        )
        batches = adaptation_batches(
            self.store,
            source=self.source,
            source_rows=paired_rows(self.store, self.source, "train"),
            labels=labels,
            training=self.training,
            first_target_step=starts[0],
        )
        return fit(
            task,
            batches,
            self.training,
            self.steps,
            name="adapt",
            checkpoint_dir=CHECKPOINTS / "training",
            epochs=self.parameters.epochs,
            fingerprint=fingerprint_of(self.provenance, torch.__version__),
            on_log=lambda step, record: tracked.log_metrics(record, step),
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


def labelling_of(parameters: AdaptParameters) -> PseudoLabelSettings:
    """The part of the section that pseudo-labelling needs."""
    return PseudoLabelSettings(portion=parameters.portion, scales=parameters.scales, fusion=parameters.fusion)


def prepare_run(
    net: SegmentationNetwork,
    store: Store,
    parameters: AdaptParameters,
    training: TrainingParameters,
    target: str,
) -> AdaptRun:
    """Check that ``net`` can be adapted to ``target`` with the tiles of ``store``.

    Raises:
        ParameterError: If the target is unknown, or a sensor that the network already knows.
        BadDataError: If the target has no train tiles.
    """
    source = net.config.sensors[0]
    if target in net.config.sensors:
        raise ParameterError(
            f"adapt.target: models/sar/{parameters.start_from} already knows {target!r}",
            next_step="set adapt.target to a sensor without labels, or to null to publish it unchanged",
        )
    if len(store.rows(target, "train")) == 0:
        raise BadDataError(
            f"adapt.target: {target} has no train tile in {store.folder}",
            next_step="see the splits in reports/prepare/metrics.json; a larger world fills them",
        )
    facts = {
        "start_from_sha256": sha256_file(SOURCES / parameters.start_from / WEIGHTS),
        "selftraining_code_sha256": code_hash(["lib/selftraining"]),
    }
    return AdaptRun(
        net=net,
        store=store,
        source=source,
        target=target,
        parameters=parameters,
        training=training,
        provenance=provenance("adapt", store, training, parameters, **facts),
    )


def _publish_unchanged(net: SegmentationNetwork, parameters: AdaptParameters) -> dict[str, Any]:
    """Without a target there is nothing to adapt to: the same weights, and a report that says so."""
    source = net.config.sensors[0]
    LOG.warning(
        "adapt.target is null: models/sar/%s is published unchanged, for %s alone",
        parameters.start_from,
        source,
    )
    metrics: dict[str, Any] = {
        "adapted": False,
        "start_from": parameters.start_from,
        "source": source,
        "target": None,
        "simulated": get_sensor(source).simulated,
        "steps": 0,
    }
    save_bundle(ADAPTED, net, {**net.metadata, "adapted": False})
    write_curve(REPORTS / "curve.csv", [])
    write_json(REPORTS / "metrics.json", metrics)
    return metrics
