"""Estimate of a model's score on an acquisition without labels, as a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.contract.errors import MissingInputError, ParameterError
from components.drift.parameters import EstimateOptions
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.sensors import get_sensor
from components.lib.drift.answers import block_probabilities
from components.lib.drift.expected_score import (
    BlockProbabilities,
    MetricEstimate,
    PixelMetric,
    estimate_score,
)
from components.lib.files import read_json
from components.lib.inference.device import choose_device
from components.lib.nets.bundle import load_bundle
from components.lib.nets.sealed import SIGNATURE
from components.lib.store.store import Store

Document = dict[str, Any]

SCHEMA = 1
"""Version of the report's fields (docs/methods/drift.md#the-score-without-labels)."""

CALIBRATION = "selection"
"""Split that the calibration is fitted on: training chose its threshold there, and learned nothing else."""

HELD_OUT = "test"
"""Split of the acquisition's tiles where the model was trained on others of the same store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatePlaces:
    """Folders that an estimate reads.

    Attributes:
        models: Folder of the models: ``sar/<name>``, ``optical/<name>`` and ``adapted``.
        store: Store that holds the acquisition's tiles.
        calibration: Store that the model was trained from; its selection slice has labels.
    """

    models: Path
    store: Path
    calibration: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Estimated scores of one model on one acquisition.

    Attributes:
        acquisition: The acquisition.
        sensor: Its sensor.
        model: Name of the model.
        weights_sha256: SHA-256 of its weights.
        threshold: Threshold of the model.
        tiles: Numbers of tiles of the calibration and of the acquisition.
        sides: Their probabilities.
        scores: The estimates, by metric.
        options: Options of the estimate.
    """

    acquisition: str
    sensor: str
    model: str
    weights_sha256: str
    threshold: float
    tiles: tuple[int, int]
    sides: tuple[BlockProbabilities, BlockProbabilities]
    scores: dict[PixelMetric, MetricEstimate]
    options: EstimateOptions

    def report(self) -> Document:
        """Return the report as JSON values; equal inputs give equal reports."""
        names = ("calibration", "acquisition")
        return {
            "kind": "score_estimate",
            "schema": SCHEMA,
            "acquisition": self.acquisition,
            "sensor": self.sensor,
            "simulated": get_sensor(self.sensor).simulated,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "threshold": self.threshold,
            "labelled": self.sides[1].building is not None,
            "scores": [
                {
                    "metric": found.metric,
                    "expected": found.expected.value,
                    "low": None if found.expected.degenerate else found.expected.low,
                    "high": None if found.expected.degenerate else found.expected.high,
                    "thresholded": found.thresholded,
                    "calibration": found.reference,
                    "true": found.true,
                }
                for found in self.scores.values()
            ],
            "confidence": self.options.confidence,
            "resamples": self.options.resamples,
            "seed": self.options.seed,
            "tiles": dict(zip(names, self.tiles, strict=True)),
            "blocks": {name: len(side.blocks) for name, side in zip(names, self.sides, strict=True)},
            "pixels": {name: int(side.pixels.sum()) for name, side in zip(names, self.sides, strict=True)},
        }


def estimate_acquisition(
    model: str,
    acquisition: str,
    *,
    places: EstimatePlaces,
    settings: ScoringSettings,
    options: EstimateOptions,
) -> Estimate:
    """Run a model on an acquisition's tiles and on labelled ones, and estimate its score on the former.

    Raises:
        MissingInputError: If a store or the model is missing.
        ParameterError: If a store has no such tiles, or the threshold cannot be counted by.
        BadDataError: If a store or the model is damaged, or they are of different tasks.
    """
    folder = model_folder(places.models, model)
    store = Store.open(places.store)
    own = places.store.resolve() == places.calibration.resolve()
    labelled = store if own else Store.open(places.calibration)
    sensor, rows = _tiles_of(store, acquisition, HELD_OUT if own else None)
    net = load_bundle(folder, task=store.task)
    source = net.config.sensors[0]
    reference = labelled.rows(source, CALIBRATION)
    if not len(reference):
        raise ParameterError(
            f"{places.calibration} has no {CALIBRATION} tile of {source} to calibrate by",
            next_step="name the store that the model was trained from with --calibration",
        )
    device = choose_device(options.device, "--device")

    def side(of: Store, name: str, chosen: npt.NDArray[np.int64]) -> BlockProbabilities:
        known = name if name in net.config.sensors else source
        return block_probabilities(
            net, of, name, chosen, settings=settings, device=device, statistics_of=known
        )

    sides = side(labelled, source, reference), side(store, sensor, rows)
    threshold = settings.threshold_of(net.config.threshold)
    scores = estimate_score(
        *sides, threshold, confidence=options.confidence, resamples=options.resamples, seed=options.seed
    )
    return Estimate(
        acquisition=acquisition,
        sensor=sensor,
        model=model,
        weights_sha256=str(read_json(folder / SIGNATURE, made_by="distill")["weights_sha256"]),
        threshold=threshold,
        tiles=(len(reference), len(rows)),
        sides=sides,
        scores=scores,
        options=options,
    )


def model_folder(models: Path, name: str) -> Path:
    """Return the folder of a model.

    Raises:
        MissingInputError: If there is none of that name.
    """
    places = [models / "sar" / name, models / "optical" / name, models / name]
    for place in places:
        if (place / SIGNATURE).is_file():
            return place
    known = sorted(path.parent.name for path in models.glob(f"*/*/{SIGNATURE}"))
    raise MissingInputError(
        f"{models} holds no model {name}", next_step=f"name one of {', '.join(known) or 'those it will hold'}"
    )


def _tiles_of(store: Store, acquisition: str, split: str | None) -> tuple[str, npt.NDArray[np.int64]]:
    """Return the sensor and the rows of an acquisition's tiles, of one split or of all.

    Raises:
        ParameterError: If there is none.
    """
    own = store.index[store.index["acquisition"] == acquisition]
    chosen = own if split is None else own[own["split"] == split]
    if chosen.empty:
        known = ", ".join(sorted(set(store.index["acquisition"])))
        raise ParameterError(
            f"{store.folder} has no {f'{split} ' if split else ''}tile of {acquisition}",
            next_step=f"name one of {known}, or the store that holds it with --store",
        )
    return str(chosen["sensor"].iloc[0]), np.sort(chosen["row"].to_numpy(np.int64))


def words(report: Document, place: Path) -> str:
    """Return a report in words.

    Args:
        report: Result of :meth:`Estimate.report`.
        place: Path of report and picture, without their suffixes.
    """
    told = [
        f"{report['acquisition']} ({report['sensor']}{', simulated' if report['simulated'] else ''}): "
        f"{report['tiles']['acquisition']} tiles in {report['blocks']['acquisition']} ground blocks, "
        f"calibrated on {report['tiles']['calibration']}"
    ]
    for row in report["scores"]:
        interval = "" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})"
        true = "" if row["true"] is None else f", true {row['true']:.3f}"
        told.append(
            f"{row['metric']}: expected {row['expected']:.3f}{interval}, "
            f"by thresholded confidence {row['thresholded']:.3f}, on the calibration's tiles "
            f"{row['calibration']:.3f}{true}"
        )
    told.append("it holds while probabilities mean here what they mean there: docs/methods/drift.md")
    told.append(f"report: {place}.json, picture: {place}.png")
    return "\n".join(told)
