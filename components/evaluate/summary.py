"""Score tables condensed to numbers: totals, paired differences, slices, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from components.evaluate.parameters import EvaluateParameters
from components.evaluate.splits import CLEAN, KANG
from components.evaluate.subjects import Cast, Subject
from components.lib.methods.registry import CONTROL
from components.lib.metrics.average_precision import average_precision
from components.lib.metrics.bootstrap import Interval, location_interval, paired_location_difference
from components.lib.metrics.confusion import Confusion, mean_hard_dice
from components.lib.metrics.spacenet_f1 import Score
from components.lib.scoring.score import Scores
from components.lib.scoring.slices import slice_tables

METRICS = ("iou", "f1")
DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One subject's scores on one set of test tiles."""

    subject: Subject
    split: str
    scores: Scores
    iou: Interval
    f1: Interval

    @property
    def drawn_by(self) -> str:
        """What drew the polygons: ``watershed`` or ``plain``."""
        return str(self.scores.tiles["vectorise"].iloc[0])

    @property
    def values(self) -> dict[str, float]:
        """The point values beside IoU and F1, by column title of the report."""
        tiles, objects = self.scores.tiles, self.scores.objects
        pixels = Confusion.from_tiles(tiles)
        buildings = Score.from_tiles(tiles)
        proposals = objects[objects["kind"] == "proposal"]
        there = buildings.TP + buildings.FN
        return {
            "Precision": buildings.precision,
            "Recall": buildings.recall,
            "AP@0.5": average_precision(proposals["confidence"], proposals["matched"], there),
            "Pixel P": pixels.precision,
            "Pixel R": pixels.recall,
            "Pixel F1": pixels.f1,
            "Dice": mean_hard_dice(tiles),
        }


def condense(subject: Subject, scores: Scores, parameters: EvaluateParameters) -> list[Result]:
    """Results on ``sn6-clean`` (where it holds tiles) and on ``sn6-kang``."""
    splits = {CLEAN: scores.clean(), KANG: scores}
    return [
        Result(
            subject=subject,
            split=split,
            scores=part,
            iou=interval(part.tiles, "iou", parameters),
            f1=interval(part.tiles, "f1", parameters),
        )
        for split, part in splits.items()
        if not part.tiles.empty
    ]


def headline_split(results: Sequence[Result]) -> str:
    """``sn6-clean`` if every subject has clean tiles, else ``sn6-kang``."""
    clean = [r for r in results if r.split == CLEAN]
    return CLEAN if 2 * len(clean) == len(results) else KANG


def interval(tiles: pd.DataFrame, statistic: str, parameters: EvaluateParameters) -> Interval:
    """The statistic with its interval over locations."""
    return location_interval(tiles, statistic, parameters.confidence, parameters.resamples)


def comparisons(
    results: Sequence[Result], cast: Cast, parameters: EvaluateParameters
) -> dict[tuple[str, str, str, str], Interval]:
    """Paired differences by (model, model subtracted, sensor, metric); pairs that are not there are left out.

    Every distilled student against the control, the one that was adapted against the teacher too, and on the
    target the adapted model against the unadapted one; on the source, what adapting cost.
    """
    others = [
        s.model
        for s in cast.subjects
        if s.role == "student" and s.sensor == cast.source and s.model != cast.student
    ]
    pairs: list[tuple[str, str, str | None]] = [
        (cast.student, CONTROL, cast.source),
        *((name, CONTROL, cast.source) for name in others),
        (cast.student, "teacher", cast.source),
        ("adapted", cast.student, cast.source),
        ("adapted", "unadapted", cast.target),
    ]
    found = {(r.subject.model, r.subject.sensor): r.scores.tiles for r in results}
    return {
        (a, b, sensor, metric): paired_location_difference(
            found[a, sensor], found[b, sensor], metric, parameters.confidence, parameters.resamples
        )
        for a, b, sensor in pairs
        if sensor and a != b and (a, sensor) in found and (b, sensor) in found
        for metric in METRICS
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """One result on one slice.

    Attributes:
        result: What was sliced.
        dimension: ``all`` or a key of :func:`components.lib.scoring.slice_tables`.
        name: The slice within its dimension.
        tiles: Tiles in it.
        buildings: True buildings in it.
        iou: Pixel IoU; None for building sizes, which have no pixel counts.
        f1: SpaceNet F1.
        precision: Of buildings.
        recall: Of buildings.
    """

    result: Result
    dimension: str
    name: str
    tiles: int
    buildings: int
    iou: Interval | None
    f1: Interval
    precision: float
    recall: float

    def as_row(self) -> dict[str, Any]:
        """The row of ``slices.csv``; ``name`` is unique, so that a plot has one bar per row."""
        subject = self.result.subject
        label = self.name if self.dimension == "all" else f"{self.dimension}: {self.name}"
        return {
            "model": subject.model,
            "sensor": subject.sensor,
            "split": self.result.split,
            "dimension": self.dimension,
            "slice": label,
            "name": f"{subject.model} on {subject.sensor}, {label}",
            "tiles": self.tiles,
            "buildings": self.buildings,
            "iou": self.iou.value if self.iou else None,
            "low": self.iou.low if self.iou else None,
            "high": self.iou.high if self.iou else None,
            "f1": self.f1.value,
            "f1_low": self.f1.low,
            "f1_high": self.f1.high,
            "precision": self.precision,
            "recall": self.recall,
        }


def slice_results(results: Sequence[Result], parameters: EvaluateParameters) -> list[SliceResult]:
    """Every result on the whole and on every slice."""
    return [
        _slice_result(result, dimension, name, part, parameters)
        for result in results
        for dimension, parts in {"all": {"all": result.scores.tiles}, **slice_tables(result.scores)}.items()
        for name, part in parts.items()
    ]


def _slice_result(
    result: Result, dimension: str, name: str, part: pd.DataFrame, parameters: EvaluateParameters
) -> SliceResult:
    buildings = Score.from_tiles(part)
    return SliceResult(
        result=result,
        dimension=dimension,
        name=name,
        tiles=len(part),
        buildings=buildings.TP + buildings.FN,
        iou=interval(part, "iou", parameters) if "px_tp" in part else None,
        f1=interval(part, "f1", parameters),
        precision=buildings.precision,
        recall=buildings.recall,
    )


def metrics_document(
    results: Sequence[Result], differences: Mapping[tuple[str, str, str, str], Interval], *, simulated: bool
) -> dict[str, Any]:
    """``metrics.json``: by model, sensor and split, then the paired differences."""
    models: dict[str, dict[str, dict[str, Any]]] = {}
    for r in results:
        by_sensor = models.setdefault(r.subject.model, {}).setdefault(r.subject.sensor, {})
        by_sensor[r.split] = _numbers(r)
    compared: dict[str, dict[str, Any]] = {}
    for (a, b, sensor, metric), value in differences.items():
        compared.setdefault(f"{a}-{b}", {}).setdefault(sensor, {})[metric] = _rounded(
            {"value": value.value, "low": value.low, "high": value.high}
        )
    return {
        "simulated": simulated,
        "headline": headline_split(results),
        "models": models,
        "differences": compared,
    }


def _numbers(result: Result) -> dict[str, float | int | str]:
    values = result.values
    numbers = {
        "iou": result.iou.value,
        "f1": result.f1.value,
        "precision": values["Precision"],
        "recall": values["Recall"],
        "ap50": values["AP@0.5"],
        "px_precision": values["Pixel P"],
        "px_recall": values["Pixel R"],
        "px_f1": values["Pixel F1"],
        "dice": values["Dice"],
    }
    for name, ends in (("iou", result.iou), ("f1", result.f1)):
        if not ends.degenerate:
            numbers |= {f"{name}_low": ends.low, f"{name}_high": ends.high}
    return {
        **_rounded(numbers),
        "tiles": len(result.scores.tiles),
        "locations": int(result.scores.tiles["location"].nunique()),
        "vectorise": result.drawn_by,
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), DIGITS) for name, value in values.items()}
