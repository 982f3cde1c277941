"""Results of the comparison of pre-training: scores over seeds and ground, differences, and what pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

import pandas as pd

from components.experiments.comparison import is_shown
from components.experiments.identity import Stamp
from components.experiments.pretrain.rows import CLEAN, Row, baseline_of
from components.experiments.seed_means import mean_difference, mean_interval
from components.lib.change.scoring.seeds import compare_seeds
from components.lib.metrics.intervals import location_interval
from components.lib.tasks.names import TaskName

STATISTICS: Final[Mapping[TaskName, Mapping[str, str]]] = {
    "buildings": {"iou": "iou", "spacenet_f1": "f1"},
    "roads": {"iou": "iou", "relaxed_f1": "relaxed_f1", "apls": "apls"},
}
"""Scores of each task, by their statistic of :mod:`components.lib.metrics.blocksums`."""

HEADLINE: Final = "iou"
"""Score that decides what pays."""

Trials = Mapping[str, Sequence[Stamp]]
"""Stamps of finished trials by row, in the order of the seeds."""


def results_of(rows: Sequence[Row], trials: Trials, confidence: float, task: TaskName) -> dict[str, Any]:
    """Return all results, ready for JSON.

    Args:
        rows: Rows of the table.
        trials: Finished trials by the row's name; a row may be missing.
        confidence: Confidence of the intervals over ground.
        task: Task of the store.
    """
    statistics = STATISTICS[task]
    found = [row for row in rows if trials.get(row.name)]
    differences = _differences(found, trials, confidence, statistics)
    kinds = dict.fromkeys(row.kind for row in found)
    return {
        "task": task,
        "rows": [_row(row, trials[row.name], confidence, statistics) for row in found],
        "differences": differences,
        "answers": {kind: answer([row for row in found if row.kind == kind], differences) for kind in kinds},
        "confidence": confidence,
        "simulated": all(stamp["training"]["simulated"] for row in found for stamp in trials[row.name]),
    }


def counts(difference: Mapping[str, Any]) -> bool:
    """Return True if a difference exceeds the seeds' spread and its interval over ground leaves out 0."""
    return is_shown(difference["by_ground"], exceeds_seeds=bool(difference["exceeds_seeds"]))


def answer(rows: Sequence[Row], differences: Sequence[Mapping[str, Any]]) -> str:
    """Return, in one or two sentences, at which degree of error pre-training stops paying.

    Args:
        rows: Rows of one kind, from the mildest to the worst.
        differences: As :func:`results_of` gives them.
    """
    own = {found["row"]: found for found in differences if found["score"] == HEADLINE}
    tried = [row for row in rows if row.start is not CLEAN and row.name in own]
    if not tried:
        return "Nothing is compared: the row of clean labels alone, or all others, are missing."
    gains = [row for row in tried if counts(own[row.name]) and own[row.name]["difference"] > 0]
    losses = [row for row in tried if counts(own[row.name]) and own[row.name]["difference"] < 0]
    told = f" It costs with {_listed(losses, own)}." if losses else ""
    if not gains:
        return f"Pre-training does not pay, no gain counts: {_listed(tried, own)}.{told}"
    if len(gains) == len(tried):
        return f"Pre-training pays with all masks that were tried: {_listed(gains, own)}."
    last = max(tried.index(row) for row in gains)
    worse = tried[last + 1 :]
    if gains == tried[: last + 1]:
        return (
            f"Pre-training pays up to {_listed(gains[-1:], own)}. "
            f"Beyond, no gain counts: {_listed(worse, own)}.{told}"
        )
    others = [row for row in tried if row not in gains]
    return (
        f"Pre-training pays with {_listed(gains, own)}, not with {_listed(others, own)}: "
        f"no order of the errors.{told}"
    )


def _listed(rows: Sequence[Row], own: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{row.start.label.removeprefix('pre-trained, ')} ({own[row.name]['difference']:+.3f})"
        for row in rows
    )


def _row(
    row: Row, stamps: Sequence[Stamp], confidence: float, statistics: Mapping[str, str]
) -> dict[str, Any]:
    tables, first = [_counted(stamp) for stamp in stamps], stamps[0]
    stages = [stage for stage in (first["pretraining"], first["training"]) if stage is not None]
    return {
        "row": row.name,
        "label": row.label,
        "kind": row.kind,
        "noise": row.noise,
        "seeds": [stamp["seed"] for stamp in stamps],
        "parameters": first["training"]["parameters"],
        "steps": [stage["steps"] for stage in stages],
        "seconds": round(fmean(_seconds(stamp) for stamp in stamps), 1),
        "pretrained_iou": [
            round(stamp["pretraining"]["iou"], 4)
            for stamp in stamps
            if stamp["pretraining"] is not None and "iou" in stamp["pretraining"]
        ],
        "scores": {
            name: {
                "by_seed": [round(_score(stamp, statistic), 4) for stamp in stamps],
                "interval": mean_interval(tables, statistic, confidence).as_dict(),
            }
            for name, statistic in statistics.items()
        },
    }


def _score(stamp: Stamp, statistic: str) -> float:
    return float(location_interval(_counted(stamp), statistic).value)


def _seconds(stamp: Stamp) -> float:
    return sum(float(stage["seconds"]) for stage in (stamp["pretraining"], stamp["training"]) if stage)


def _differences(
    rows: Sequence[Row], trials: Trials, confidence: float, statistics: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return each row's scores minus those of the row that it is compared with."""
    found = []
    for row in rows:
        against = baseline_of(row, rows)
        if against is None:
            continue
        groups = [trials[row.name], trials[against.name]]
        tables = [[_counted(stamp) for stamp in group] for group in groups]
        for name, statistic in statistics.items():
            seeds = compare_seeds(*([_score(stamp, statistic) for stamp in group] for group in groups))
            found.append(
                {
                    "row": row.name,
                    "against": against.name,
                    "score": name,
                    "difference": round(seeds.difference, 4),
                    "exceeds_seeds": seeds.counts,
                    "why": seeds.why,
                    "by_ground": mean_difference(tables[0], tables[1], statistic, confidence).as_dict(),
                }
            )
    return found


def _counted(stamp: Stamp) -> pd.DataFrame:
    """Return the counts of the clean test tiles; of all test tiles where none is clean."""
    tiles: pd.DataFrame = stamp["tiles"]
    return tiles[tiles["clean"]] if bool(tiles["clean"].any()) else tiles
