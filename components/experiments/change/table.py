"""The comparison of change networks as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.experiments.comparison import difference_cell, is_shown, score_cell
from components.experiments.table import table_lines

_TITLES: Final = {
    "networks": "Networks",
    "exchange": "Where dates exchange channels (SGSLN, width 8)",
    "dates": "Kinds of images (SGSLN, width 8)",
}
_SCORES: Final = {
    "object_f1": "F1 of buildings",
    "pixel_f1": "F1 of pixels",
    "pixel_f1_crops": "the same, crops of 256",
}
_SIMULATED: Final = "Simulated pairs of two dates: no number says how well a method does on real images. "


def markdown(document: Mapping[str, Any]) -> str:
    """Return the tables, with the rules of reading above them.

    Args:
        document: Content of ``comparison.json``.
    """
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    world = _SIMULATED if document["simulated"] else ""
    seeds = sorted({seed for row in document["rows"] for seed in row["seeds"]})
    yield (
        f"{world}Test pairs, whole tiles unless said. Means of the seeds {', '.join(map(str, seeds))}; in "
        f"brackets the lowest and highest seed; then the {document['confidence']:.0%} interval over scenes. "
        "A difference counts where it exceeds twice the spread of the seeds *and* its interval over scenes "
        "leaves out 0."
    )
    yield ""
    for group, title in _TITLES.items():
        rows = [row for row in document["rows"] if row["group"] == group]
        if rows:
            yield f"### {title}"
            yield ""
            yield from table_lines(["", "parameters", *_SCORES.values(), "steps (time)"], map(_cells, rows))
    yield from _compared(document)
    known = {name: value for name, value in document["spread"].items() if value is not None}
    if known:
        yield (
            "Spread of the seeds (pooled standard deviation of all rows): "
            + ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in known.items())
            + "."
        )


def _cells(row: Mapping[str, Any]) -> list[str]:
    shown = [score_cell(row["scores"][name]["by_seed"], row["intervals"].get(name)) for name in _SCORES]
    return [row["label"], f"{row['parameters']:,}", *shown, f"{row['steps']} ({row['seconds']:.0f} s)"]


def _compared(document: Mapping[str, Any]) -> Iterator[str]:
    labels = {row["row"]: row["label"] for row in document["rows"]}
    if not document["differences"]:
        return
    against = document["differences"][0]["against"]
    yield f"### Differences from {labels[against]}"
    yield ""
    rows = [
        [
            labels[found["row"]],
            _SCORES[found["score"]],
            f"{found['difference']:+.3f}",
            "" if found["ratio"] is None else f"{found['ratio']:.2f}",
            difference_cell(found["by_scene"]),
            "yes" if is_shown(found["by_scene"], exceeds_seeds=found["exceeds_seeds"]) else "no",
        ]
        for found in document["differences"]
    ]
    yield from table_lines(["", "score", "difference", "ratio", "over scenes", "counts"], rows)
