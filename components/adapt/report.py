"""What the stage reports: selection-split scores before and after, pseudo-label shares, the curve."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch

from components.lib.engine.selection import pixel_scores
from components.lib.files import atomic_file
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store

COLUMNS = ("step", "lr", "loss", "source", "target")


def selection_scores(
    net: SegmentationNetwork, store: Store, sensor: str, *, statistics_of: str, device: torch.device
) -> dict[str, float] | None:
    """Pixel IoU, F1, precision and recall on a sensor's selection split, from globally summed counts.

    The selection split lies inside the training ground; the test split is not looked at here.

    Args:
        net: The network.
        store: The prepared tiles.
        sensor: Whose tiles.
        statistics_of: Sensor whose statistics normalise them.
        device: Where to predict.

    Returns:
        None if the sensor has no selection tiles.
    """
    rows = store.rows(sensor, "selection")
    if len(rows) == 0:
        return None
    return pixel_scores(net, store, sensor, rows, device=device, statistics_of=statistics_of)


def write_curve(path: Path, history: list[dict[str, float]]) -> None:
    """The logged losses as CSV, columns ``COLUMNS``; only the header if nothing was trained."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(history)


def flat(metrics: dict[str, Any]) -> dict[str, float]:
    """Selection scores and label shares under dotted names, as tracking takes them."""
    values: dict[str, float] = {}
    for moment in ("before", "after"):
        for role, scores in metrics[moment].items():
            values |= {f"selection.{role}.{moment}.{name}": value for name, value in (scores or {}).items()}
    for number, summary in enumerate(metrics["rounds"], start=1):
        values[f"round.{number}.ignored"] = summary["ignored"]
        values[f"round.{number}.building"] = summary["shares"][1]
    return values
