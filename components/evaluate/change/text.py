"""Scores of change as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SWAPPED: Final = (
    "Nothing tells whether truth and prediction were swapped: precision and recall would change places, F1 "
    "and IoU stay."
)

_RATIOS: Final = ("precision", "recall", "f1")


def as_text(document: Mapping[str, Any]) -> str:
    """Return the scores of masks or of footprints as lines."""
    return masks_as_text(document) if document["kind"] == "masks" else outlines_as_text(document)


def outlines_as_text(document: Mapping[str, Any]) -> str:
    """Return the scores of :func:`components.evaluate.change.command.score_outlines` as lines."""
    counted = {"all": document["objects"], **document["kinds"]}
    rows = [["", "precision", "recall", "F1", "TP", "FP", "FN"]]
    rows += [[name, *_cells(values, *_RATIOS, "tp", "fp", "fn")] for name, values in counted.items()]
    rule = f"changed buildings, one to one at an IoU of {document['rules']['iou']:g} or more"
    return "\n".join([*aligned(rows), "", rule, SWAPPED])


def masks_as_text(document: Mapping[str, Any]) -> str:
    """Return the scores of :func:`components.evaluate.change.command.score_masks` as lines."""
    rules, pixels, objects = document["rules"], document["pixels"], document["objects"]
    rows = [
        ["", "precision", "recall", "F1", "IoU", "TP", "FP", "FN", "TN"],
        ["pixels", *_cells(pixels, *_RATIOS, "iou", "tp", "fp", "fn", "tn")],
        ["objects", *_cells(objects, *_RATIOS), "", *_cells(objects, "tp", "fp", "fn"), ""],
        ["relaxed pixels", *_cells(document["relaxed"], *_RATIOS), *[""] * 5],
    ]
    counted = f"{document['pairs']:,} pairs of {document['scenes']:,} scenes"
    return "\n".join(
        [
            f"{counted}; sums over all pixels and objects; {pixels['unknown']:,} pixels unknown",
            "",
            *aligned(rows),
            "",
            f"objects: 4-connected parts of {rules['min_area_px']} pixels or more, one to one at an IoU of "
            f"{rules['iou']:g} or more; relaxed: within {rules['tolerance_px']:g} pixels",
            _intervals(document),
            SWAPPED,
        ]
    )


def model_as_text(document: Mapping[str, Any]) -> str:
    """Return the scores of :func:`components.evaluate.change.models.evaluate_model` as lines."""
    rows = [["", "pixel precision", "recall", "F1", "IoU", "object precision", "recall", "F1"]]
    rows += [
        [protocol, *_cells(values["pixels"], *_RATIOS, "iou"), *_cells(values["objects"], *_RATIOS)]
        for protocol, values in document["protocols"].items()
    ]
    whole = document["protocols"]["whole_tile"]
    simulated = "SIMULATED, " if document["simulated"] else ""
    return "\n".join(
        [
            f"{document['method']} on the test pairs of {document['data_set']}: {simulated}"
            f"{whole['pairs']:,} pairs of {whole['scenes']:,} scenes, "
            f"threshold {document['threshold']:.3f}",
            *aligned(rows),
            _intervals(whole),
        ]
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines: the first column to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return ["  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]).rstrip() for row in rows]


def _cells(values: Mapping[str, Any], *names: str) -> list[str]:
    return [_cell(values[name]) for name in names]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _intervals(document: Mapping[str, Any]) -> str:
    known = {name: ends for name, ends in document["intervals"].items() if ends is not None}
    if not known:
        return "no intervals: fewer than 15 scenes with something to count"
    parts = [f"{name.replace('_', ' ')} {e['low']:.4f} to {e['high']:.4f}" for name, e in known.items()]
    return f"{document['confidence']:.0%} intervals over scenes: {', '.join(parts)}"
