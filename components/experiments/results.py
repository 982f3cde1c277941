"""Results of a run from its tile tables: values, differences, gap closure and recovery, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from types import MappingProxyType
from typing import Any

import pandas as pd

from components.experiments.grid import OURS, Group, Variant
from components.experiments.identity import Stamp
from components.experiments.seed_means import gap_closure, mean_difference, mean_interval
from components.lib.evaluation.results import CLEAN, KANG
from components.lib.metrics.intervals import Interval, location_interval

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "iou": "iou",
        "f1": "px_f1",
        "precision": "px_precision",
        "recall": "px_recall",
        "spacenet_f1": "f1",
        "spacenet_precision": "precision",
        "spacenet_recall": "recall",
    }
)
"""Statistics of ``components.lib.metrics`` by name in ``evidence.json``; ``spacenet_`` counts buildings."""

COMPARED = ("iou", "f1", "spacenet_f1")
"""Metrics of differences and ratios."""

CONTROL, CONTROL_TWICE, OPTICAL_INIT = "control", "control_twice", "optical_init"
TEACHER, BASELINE = "teacher", "disoptnet"
SOURCE_ONLY, CSN_SELF_TRAINING, ORACLE = "source_only", "csn_self_training", "oracle"
PARTS_OF_ADAPTATION = ("moments_only", "csn_only", "csn_moments", "self_training")
UPPER_BOUNDS = {TEACHER, "teacher_hfd", ORACLE}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTrial:
    """A scored trial.

    Attributes:
        method: Row of the grid.
        seed: Seed of the training.
        stamp: Content of ``trained.json``.
        tiles: Counts per test tile.
    """

    method: Variant
    seed: int
    stamp: Stamp
    tiles: pd.DataFrame


class Comparison:
    """Comparison of all results of one run.

    Args:
        results: Every scored trial.
        confidence: Confidence of the intervals, 0 to 1.
    """

    def __init__(self, results: Sequence[ScoredTrial], confidence: float) -> None:
        self.confidence = confidence
        self.methods = {result.method.name: result.method for result in results}
        sensors = sorted({str(result.tiles["sensor"].iloc[0]) for result in results})
        self.splits = {sensor: _split_of(sensor, results) for sensor in sensors}
        self.tables: dict[str, dict[int, pd.DataFrame]] = {}
        for result in results:
            sensor = str(result.tiles["sensor"].iloc[0])
            part = result.tiles[result.tiles["clean"]] if self.splits[sensor] == CLEAN else result.tiles
            self.tables.setdefault(result.method.name, {})[result.seed] = part

    def sensor(self, method: str) -> str:
        """Return the sensor on whose tiles the method is scored."""
        return str(next(iter(self.tables[method].values()))["sensor"].iloc[0])

    def rows(self) -> Iterator[Row]:
        """Yield a row per method, seed and metric; seed None is the mean over the seeds."""
        for name, by_seed in self.tables.items():
            for metric, statistic in METRICS.items():
                for seed, tiles in by_seed.items():
                    value = location_interval(tiles, statistic, self.confidence)
                    yield self._row(name, metric, value, seed=seed, seeds=1)
                value = mean_interval(list(by_seed.values()), statistic, self.confidence)
                yield self._row(name, metric, value, seed=None, seeds=len(by_seed))

    def differences(self) -> Iterator[Row]:
        """Yield differences paired by location, averaged over the seeds that both methods have."""
        for name, against in self._pairs():
            seeds = sorted(self.tables[name].keys() & self.tables[against].keys())
            if not seeds:
                continue
            first, second = ([self.tables[m][seed] for seed in seeds] for m in (name, against))
            for metric in COMPARED:
                value = mean_difference(first, second, METRICS[metric], self.confidence)
                yield self._row(name, metric, value, against=against, seeds=len(seeds))

    def closures(self) -> Iterator[Row]:
        """Yield (student - control) / (teacher - control) of every student."""
        for name in self._in("source"):
            if name not in {CONTROL, *UPPER_BOUNDS}:
                yield from self._ratios(name, CONTROL, TEACHER)

    def recoveries(self) -> Iterator[Row]:
        """Yield (adapted - source only) / (oracle - source only) of every adaptation."""
        for name in self._in("target"):
            if name not in {SOURCE_ONLY, ORACLE}:
                yield from self._ratios(name, SOURCE_ONLY, ORACLE)

    def _ratios(self, name: str, start: str, goal: str) -> Iterator[Row]:
        if not {name, start, goal} <= self.tables.keys():
            return
        seeds = sorted(set.intersection(*(set(self.tables[m]) for m in (name, start, goal))))
        if not seeds:
            return
        first, low, high = ([self.tables[m][seed] for seed in seeds] for m in (name, start, goal))
        for metric in COMPARED:
            value = gap_closure(first, low, high, METRICS[metric], self.confidence)
            yield self._row(name, metric, value, start=start, goal=goal, seeds=len(seeds))

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Yield minuend and subtrahend; of an ablation: the complete method, less the one without a part."""
        there = self.tables.keys()
        for name in self._in("source"):
            if name not in UPPER_BOUNDS:
                yield from (
                    (name, m) for m in (CONTROL, CONTROL_TWICE, OPTICAL_INIT) if m in there and m != name
                )
        if {OURS, BASELINE} <= there:
            yield OURS, BASELINE
        for name in self._in("ablation"):
            whole = self.methods[name].compared_with
            if whole in there and whole is not None:
                yield whole, name
        for name in self._in("target"):
            if name != SOURCE_ONLY and SOURCE_ONLY in there:
                yield name, SOURCE_ONLY
        if CSN_SELF_TRAINING in there:
            yield from ((CSN_SELF_TRAINING, m) for m in PARTS_OF_ADAPTATION if m in there)

    def _in(self, group: Group) -> list[str]:
        return [name for name, method in self.methods.items() if method.group == group]

    def _row(self, name: str, metric: str, value: Interval | None, **more: Any) -> Row:  # noqa: ANN401
        sensor = self.sensor(name)
        numbers: Row = {"value": None, "low": None, "high": None}
        if value is not None:
            numbers = {key: round(float(getattr(value, key)), 5) for key in numbers}
            numbers |= {"locations": value.locations}
            if value.degenerate:
                numbers |= {"low": None, "high": None}
        return {
            "method": name,
            "metric": metric,
            "sensor": sensor,
            "split": self.splits[sensor],
            **more,
            **numbers,
        }


def evidence_document(results: Sequence[ScoredTrial], about: Row, *, confidence: float) -> Row:
    """Return the content of ``evidence.json``.

    Args:
        results: Every scored trial.
        about: Entries about the run as a whole: command, profile, hashes, seeds.
        confidence: Confidence of the intervals, 0 to 1.
    """
    comparison = Comparison(results, confidence)
    made: Row = {
        **about,
        "confidence": confidence,
        "splits": comparison.splits,
        "methods": [_method_row(name, results) for name in comparison.methods],
        "cells": [_trial_row(result) for result in results],
        "rows": list(comparison.rows()),
        "differences": list(comparison.differences()),
        "gap_closure": list(comparison.closures()),
        "recovery": list(comparison.recoveries()),
    }
    return {**made, "targets": targets(made)}


def find(rows: Sequence[Row], **wanted: Any) -> Row | None:  # noqa: ANN401 - any JSON value
    """Return the first row with these values, or None."""
    return next((row for row in rows if all(row.get(k) == v for k, v in wanted.items())), None)


def targets(evidence: Row) -> list[Row]:
    """Return the project's targets that were measured, each with ``met``."""
    gain = find(evidence["differences"], method=OURS, against=CONTROL, metric="iou")
    rival = find(evidence["differences"], method=OURS, against=BASELINE, metric="iou")
    closure = find(evidence["gap_closure"], method=OURS, metric="iou")
    recovery = find(evidence["recovery"], method=CSN_SELF_TRAINING, metric="iou")
    asked: list[tuple[str, Row | None, float, bool]] = [
        (f"{OURS} gains at least 0.02 IoU over the control, interval above 0", gain, 0.02, True),
        (f"{OURS} beats DisOptNet", rival, 0.0, False),
        (f"{OURS} closes at least 0.4 of the gap to the teacher", closure, 0.4, False),
        ("adaptation recovers at least 0.6 of what the oracle gains", recovery, 0.6, False),
    ]
    return [
        {"target": text, "value": row["value"], "low": row["low"], "met": _met(row, least, certain=certain)}
        for text, row, least, certain in asked
        if row is not None
    ]


def _met(row: Row, least: float, *, certain: bool) -> bool:
    if row["value"] is None or row["value"] < least or row["value"] <= 0:
        return False
    return not certain or (row["low"] is not None and row["low"] > 0)


def _split_of(sensor: str, results: Sequence[ScoredTrial]) -> str:
    """Return the split that counts, as in the stage's report: the clean tiles if every result has some."""
    own = [result.tiles for result in results if str(result.tiles["sensor"].iloc[0]) == sensor]
    return CLEAN if all(bool(tiles["clean"].any()) for tiles in own) else KANG


def _method_row(name: str, results: Sequence[ScoredTrial]) -> Row:
    own = [result for result in results if result.method.name == name]
    method = own[0].method
    seconds = [result.stamp["metrics"].get("seconds") for result in own]
    known = [float(value) for value in seconds if value is not None]
    return {
        "method": name,
        "label": method.label,
        "group": method.group,
        "compared_with": method.compared_with,
        "command": " ".join(method.command) if method.command else None,
        "overrides": dict(method.overrides),
        "times": method.times,
        "network": dict(method.network),
        "world": method.world,
        "seeds": [result.seed for result in own],
        "parameters": own[0].stamp["parameters"],
        "steps": own[0].stamp["metrics"].get("steps"),
        "training_seconds": round(mean(known), 1) if known else None,
    }


def _trial_row(result: ScoredTrial) -> Row:
    metrics = result.stamp["metrics"]
    return {
        "method": result.method.name,
        "seed": result.seed,
        "steps": metrics.get("steps"),
        "training_seconds": metrics.get("seconds"),
        "wall_seconds": result.stamp["seconds"],
        "threads": result.stamp["threads"],
        "selection_iou": _selection_iou(metrics),
        "weights_sha256": result.stamp["weights_sha256"],
    }


def _selection_iou(metrics: Mapping[str, Any]) -> float | None:
    """Return the IoU of the stage's own metrics; adaptation reports both sensors, and its target counts."""
    scores = metrics
    if "after" in metrics:
        scores = (metrics["after"] or {}).get("target") or {}
    value = scores.get("iou")
    return None if value is None else round(float(value), 5)
