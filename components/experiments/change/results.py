"""Results of the comparison: scores of each row over its seeds, differences, and the spread of the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, variance
from typing import Any, Final

import pandas as pd

from components.experiments.change.rows import REFERENCE, Row
from components.experiments.identity import Stamp
from components.experiments.seed_means import mean_difference, mean_interval
from components.lib.change.scoring.seeds import compare_seeds

SCORES: Final[Mapping[str, tuple[str, str, str]]] = {
    "object_f1": ("whole_tile", "objects", "f1"),
    "pixel_f1": ("whole_tile", "pixels", "f1"),
    "pixel_iou": ("whole_tile", "pixels", "iou"),
    "pixel_f1_crops": ("crops_256", "pixels", "f1"),
}
"""Scores by name: protocol, part and value of the evaluation's ``details.json``."""

STATISTICS: Final[Mapping[str, str]] = {"object_f1": "f1", "pixel_f1": "px_f1"}
"""Scores with an interval over scenes, by their statistic of :mod:`components.lib.metrics.blocksums`."""

_WHOLE: Final = "whole_tile"

Trials = Mapping[str, Sequence[Stamp]]
"""Stamps of finished trials by row, in the order of the seeds."""


def results_of(rows: Sequence[Row], trials: Trials, confidence: float) -> dict[str, Any]:
    """Return all results, ready for JSON.

    Args:
        rows: Rows of the table.
        trials: Finished trials; a row may be missing.
        confidence: Confidence of the intervals over scenes.
    """
    found = [row for row in rows if trials.get(row.name)]
    return {
        "rows": [_row(row, trials[row.name], confidence) for row in found],
        "differences": _differences(found, trials, confidence),
        "spread": {name: spread([trials[row.name] for row in found], name) for name in SCORES},
        "confidence": confidence,
        "simulated": all(stamp["scores"]["simulated"] for row in found for stamp in trials[row.name]),
    }


def score(stamp: Stamp, name: str) -> float:
    """Return a score of a trial by its name in ``SCORES``; an undefined one, of no change at all, is 0."""
    protocol, part, value = SCORES[name]
    return float(stamp["scores"]["protocols"][protocol][part][value] or 0.0)


def spread(groups: Sequence[Sequence[Stamp]], name: str) -> float | None:
    """Return the standard deviation of a score between trainings that differ by their seed alone.

    Variances of the rows are averaged with their degrees of freedom (pooled). None without two seeds of a
    row.
    """
    values = [[score(stamp, name) for stamp in stamps] for stamps in groups if len(stamps) > 1]
    freedom = sum(len(scores) - 1 for scores in values)
    squares = sum((len(scores) - 1) * variance(scores) for scores in values)
    return math.sqrt(squares / freedom) if freedom else None


def _row(row: Row, stamps: Sequence[Stamp], confidence: float) -> dict[str, Any]:
    training = stamps[0]["training"]
    return {
        "row": row.name,
        "label": row.label,
        "group": row.group,
        "method": row.method,
        "seeds": [stamp["seed"] for stamp in stamps],
        "parameters": training["parameters"],
        "steps": training["steps"],
        "seconds": round(fmean(stamp["training"]["seconds"] for stamp in stamps), 1),
        "scores": {
            name: {
                "by_seed": [round(score(stamp, name), 4) for stamp in stamps],
                "mean": round(fmean(score(stamp, name) for stamp in stamps), 4),
            }
            for name in SCORES
        },
        "intervals": {
            name: mean_interval(_tables(stamps), statistic, confidence).as_dict()
            for name, statistic in STATISTICS.items()
        },
    }


def _differences(rows: Sequence[Row], trials: Trials, confidence: float) -> list[dict[str, Any]]:
    """Return each row's scores minus those of ``REFERENCE``."""
    if REFERENCE not in {row.name for row in rows}:
        return []
    against = trials[REFERENCE]
    found = []
    for row in rows:
        if row.name == REFERENCE:
            continue
        stamps = trials[row.name]
        for name, statistic in STATISTICS.items():
            own, others = ([score(stamp, name) for stamp in group] for group in (stamps, against))
            seeds = compare_seeds(own, others)
            interval = mean_difference(_tables(stamps), _tables(against), statistic, confidence)
            found.append(
                {
                    "row": row.name,
                    "against": REFERENCE,
                    "score": name,
                    "difference": round(seeds.difference, 4),
                    "ratio": round(fmean(own) / fmean(others), 4) if fmean(others) else None,
                    "exceeds_seeds": seeds.counts,
                    "why": seeds.why,
                    "by_scene": interval.as_dict(),
                }
            )
    return found


def _tables(stamps: Sequence[Stamp]) -> list[pd.DataFrame]:
    """Return the counts by pair of each trial, as :mod:`components.lib.metrics.intervals` takes them."""
    return [pd.DataFrame(stamp["scores"]["by_pair"][_WHOLE]) for stamp in stamps]
