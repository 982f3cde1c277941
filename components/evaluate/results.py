"""Score tables condensed to numbers: totals, paired differences, slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from components.evaluate.models import EvaluatedModel, EvaluatedModels
from components.evaluate.parameters import EvaluateParameters
from components.lib.config.scoring import ScoringSettings
from components.lib.evaluation.results import (
    CLEAN,
    CONTROL,
    KANG,
    Evaluation,
    GraphResult,
    Metric,
    ModelResult,
    PairedDifference,
    SliceResult,
)
from components.lib.metrics.average_precision import average_precision
from components.lib.metrics.counts import Counts, mean_hard_dice
from components.lib.metrics.intervals import Interval, location_interval, paired_location_difference
from components.lib.scoring.road_sums import with_road_sums
from components.lib.scoring.score import Scores
from components.lib.scoring.slices import NODATA_BANDS, SIZE_BANDS, slice_tables
from components.lib.scoring.tables import tile_count
from components.lib.tasks.names import OBJECT_TASKS, TaskName

METRICS: tuple[Metric, ...] = ("iou", "f1")
DIGITS = 4
"""Decimals in ``metrics.json`` and ``details.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitScores:
    """Score tables of one model on the test tiles of one split."""

    model: EvaluatedModel
    split: str
    scores: Scores

    @property
    def key(self) -> tuple[str, str]:
        """Model and sensor, unique within a split."""
        return self.model.model, self.model.sensor

    @property
    def task(self) -> TaskName:
        """Task of the model."""
        return self.model.net.config.task


def split_scores(model: EvaluatedModel, scores: Scores) -> list[SplitScores]:
    """Return the scores on ``sn6-clean`` (where it holds tiles) and on ``sn6-kang``."""
    splits = {CLEAN: scores.clean(), KANG: scores}
    return [
        SplitScores(model=model, split=split, scores=part)
        for split, part in splits.items()
        if not part.tiles.empty
    ]


def metrics_of(task: TaskName) -> tuple[Metric, ...]:
    """Return the metrics by which models of a task are compared."""
    return METRICS if task in OBJECT_TASKS else ("iou",)


def model_result(part: SplitScores, parameters: EvaluateParameters, settings: ScoringSettings) -> ModelResult:
    """Condense one model's tables to its scores and intervals."""
    tiles, objects = part.scores.tiles, part.scores.objects
    pixels = Counts.of_pixels(tiles)
    buildings = Counts.of_buildings(tiles)
    proposals = objects[objects["kind"] == "proposal"]
    iou = _interval(tiles, "iou", parameters)
    has_objects = part.task in OBJECT_TASKS
    relaxed = part.scores.relaxed_sums()
    return ModelResult(
        model=part.model.model,
        role=part.model.role,
        description=part.model.description,
        sensor=part.model.sensor,
        split=part.split,
        vectoriser=str(tiles["vectorise"].iloc[0]),
        tiles=tile_count(tiles),
        locations=iou.locations,
        threshold=settings.threshold_of(part.model.net.config.threshold),
        iou=iou,
        iou_half=Counts.of_half(tiles).iou,
        f1=_interval(tiles, "f1", parameters) if has_objects else None,
        precision=buildings.precision if has_objects else None,
        recall=buildings.recall if has_objects else None,
        ap50=float(
            average_precision(proposals["confidence"], proposals["matched"], buildings.tp + buildings.fn)
        )
        if has_objects
        else None,
        px_precision=pixels.precision,
        px_recall=pixels.recall,
        px_f1=pixels.f1,
        px_ap=part.scores.histogram().average_precision(),
        accuracy=pixels.accuracy,
        kappa=pixels.kappa,
        dice=float(mean_hard_dice(tiles)),
        relaxed=None if relaxed is None else {**relaxed.by_length(), "iou": relaxed.by_area()["iou"]},
        graph=_graph_result(part.scores, parameters),
    )


def _graph_result(scores: Scores, parameters: EvaluateParameters) -> GraphResult | None:
    """Return the means over tiles of the scores of road graphs; None where there are none."""
    if not scores.graphs:
        return None
    found = list(scores.graphs.values())
    return GraphResult(
        apls=_interval(with_road_sums(scores), "apls", parameters),
        truth_onto_proposal=float(np.mean([score.apls.truth_onto_proposal for score in found])),
        proposal_onto_truth=float(np.mean([score.apls.proposal_onto_truth for score in found])),
        without_roads=sum(not score.has_roads for score in found),
    )


def paired_differences(
    parts: Sequence[SplitScores], models: EvaluatedModels, parameters: EvaluateParameters
) -> list[PairedDifference]:
    """Compare models on the same tiles; pairs of which one is absent are left out.

    Every distilled student against the control, the one that was adapted against the teacher too, and on the
    target the adapted model against the unadapted one; on the source, the cost of adapting.
    """
    others = [
        m.model
        for m in models.models
        if m.role == "student" and m.sensor == models.source and m.model != models.student
    ]
    pairs: list[tuple[str, str, str | None]] = [
        (models.student, CONTROL, models.source),
        *((name, CONTROL, models.source) for name in others),
        (models.student, "teacher", models.source),
        ("adapted", models.student, models.source),
        ("adapted", "unadapted", models.target),
    ]
    tiles = {part.key: part.scores.tiles for part in parts}
    return [
        PairedDifference(
            model=model,
            baseline=baseline,
            sensor=sensor,
            metric=metric,
            interval=paired_location_difference(
                tiles[model, sensor],
                tiles[baseline, sensor],
                metric,
                parameters.confidence,
            ),
        )
        for model, baseline, sensor in dict.fromkeys(pairs)
        if sensor and model != baseline and (model, sensor) in tiles and (baseline, sensor) in tiles
        for metric in metrics_of(models.task)
    ]


def slice_results(parts: Sequence[SplitScores], parameters: EvaluateParameters) -> list[SliceResult]:
    """Score every model on the whole and on every slice."""
    return [
        _slice_result(part, dimension, name, table, parameters)
        for part in parts
        for dimension, tables in {"all": {"all": part.scores.tiles}, **slice_tables(part.scores)}.items()
        for name, table in tables.items()
    ]


def slice_bounds() -> dict[str, dict[str, tuple[float, float | None]]]:
    """Return the bounds of the slices that are bands: squared pixels, share of no-data; None is unbounded."""
    bands = {"building_size": SIZE_BANDS, "nodata": NODATA_BANDS}
    return {
        dimension: {
            name: (low, None if high == float("inf") else high) for name, (low, high) in values.items()
        }
        for dimension, values in bands.items()
    }


def _slice_result(
    part: SplitScores, dimension: str, name: str, table: pd.DataFrame, parameters: EvaluateParameters
) -> SliceResult:
    buildings = Counts.of_buildings(table)
    return SliceResult(
        model=part.model.model,
        sensor=part.model.sensor,
        split=part.split,
        dimension=dimension,
        name=name,
        tiles=tile_count(table),
        buildings=buildings.tp + buildings.fn,
        iou=_interval(table, "iou", parameters) if "px_tp" in table else None,
        f1=_interval(table, "f1", parameters) if part.task in OBJECT_TASKS else None,
        precision=buildings.precision if part.task in OBJECT_TASKS else None,
        recall=buildings.recall if part.task in OBJECT_TASKS else None,
    )


def _interval(
    tiles: pd.DataFrame, statistic: Metric | Literal["apls"], parameters: EvaluateParameters
) -> Interval:
    return location_interval(tiles, statistic, parameters.confidence)


def slice_row(result: SliceResult) -> dict[str, Any]:
    """Return a row of ``slices.csv``; ``name`` is unique, so that a plot has one bar per row."""
    label = result.name if result.dimension == "all" else f"{result.dimension}: {result.name}"
    return {
        "model": result.model,
        "sensor": result.sensor,
        "split": result.split,
        "dimension": result.dimension,
        "slice": label,
        "name": f"{result.model} on {result.sensor}, {label}",
        "tiles": result.tiles,
        "buildings": result.buildings,
        "iou": result.iou.value if result.iou else None,
        **_ends("", result.iou),
        "f1": result.f1.value if result.f1 else None,
        **_ends("f1_", result.f1),
        "precision": result.precision,
        "recall": result.recall,
    }


def _ends(prefix: str, interval: Interval | None) -> dict[str, float | None]:
    known = None if interval is None or interval.degenerate else interval
    return {f"{prefix}{end}": None if known is None else getattr(known, end) for end in ("low", "high")}


def headline_numbers(evaluation: Evaluation) -> dict[str, float]:
    """Return ``metrics.json``, the DVC metric: the student's scores, the IoU of those it is compared with.

    On the headline split; ``adapted`` and ``unadapted`` on the target, the others on the source.
    """
    found = {result.key: result for result in evaluation.on(evaluation.headline)}
    student = found.get((evaluation.student, evaluation.source))
    numbers: dict[str, float] = {}
    if student is not None:
        numbers |= {"iou": student.iou.value, "iou_half": student.iou_half}
        numbers |= {"pr_auc": student.px_ap}
        numbers |= {} if student.f1 is None else {"f1": student.f1.value}
        numbers |= {name: value for name, value in _relaxed(student).items() if name == "relaxed_f1"}
        numbers |= {} if student.graph is None else {"apls": student.graph.apls.value}
    compared = {
        "teacher": ("teacher", evaluation.source),
        "control": (CONTROL, evaluation.source),
        "adapted": ("adapted", evaluation.target),
        "unadapted": ("unadapted", evaluation.target),
    }
    numbers |= {name: found[key].iou.value for name, key in compared.items() if key in found}
    return _rounded(numbers)


def details_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return ``details.json``: rounded scores by model, sensor and split, then the paired differences."""
    models: dict[str, dict[str, dict[str, Any]]] = {}
    for result in evaluation.results:
        models.setdefault(result.model, {}).setdefault(result.sensor, {})[result.split] = _numbers(result)
    compared: dict[str, dict[str, Any]] = {}
    for difference in evaluation.differences:
        name = f"{difference.model}-{difference.baseline}"
        interval = difference.interval
        compared.setdefault(name, {}).setdefault(difference.sensor, {})[difference.metric] = _rounded(
            {"value": interval.value}
            | ({} if interval.degenerate else {"low": interval.low, "high": interval.high})
        )
    return {
        "simulated": bool(evaluation.simulated),
        "headline": evaluation.headline,
        "models": models,
        "differences": compared,
    }


def _numbers(result: ModelResult) -> dict[str, float | int | str]:
    known = {
        "iou": result.iou.value,
        "iou_half": result.iou_half,
        "threshold": result.threshold,
        "f1": None if result.f1 is None else result.f1.value,
        "precision": result.precision,
        "recall": result.recall,
        "ap50": result.ap50,
        "px_precision": result.px_precision,
        "px_recall": result.px_recall,
        "px_f1": result.px_f1,
        "pr_auc": result.px_ap,
        "accuracy": result.accuracy,
        "kappa": result.kappa,
        "dice": result.dice,
    }
    numbers = {name: value for name, value in known.items() if value is not None} | _relaxed(result)
    numbers |= _apls(result.graph)
    graphs = None if result.graph is None else result.graph.apls
    for name, ends in (("iou", result.iou), ("f1", result.f1), ("apls", graphs)):
        if ends is not None and not ends.degenerate:
            numbers |= {f"{name}_low": ends.low, f"{name}_high": ends.high}
    return {
        **_rounded(numbers),
        "tiles": result.tiles,
        "locations": result.locations,
        "vectorise": result.vectoriser,
        **({} if result.graph is None else {"apls_tiles_without_roads": result.graph.without_roads}),
    }


def _apls(graph: GraphResult | None) -> dict[str, float]:
    """Return the scores of road graphs that there are, named ``apls...``."""
    if graph is None:
        return {}
    return {
        "apls": graph.apls.value,
        "apls_truth_onto_proposal": graph.truth_onto_proposal,
        "apls_proposal_onto_truth": graph.proposal_onto_truth,
    }


def _relaxed(result: ModelResult) -> dict[str, float]:
    """Return the scores within a tolerance that there are, named ``relaxed_...``."""
    found = result.relaxed or {}
    return {f"relaxed_{name}": value for name, value in found.items() if value is not None}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), DIGITS) for name, value in values.items()}
