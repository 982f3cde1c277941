"""The comparison of pre-training as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from components.experiments.comparison import difference_cell, score_cell
from components.experiments.pretrain.results import counts
from components.experiments.table import table_lines

_SCORES: Final = {
    "iou": "IoU of pixels",
    "spacenet_f1": "F1 of buildings",
    "relaxed_f1": "F1 within 4 m",
    "apls": "APLS (java)",
}
_SIMULATED: Final = (
    "Simulated world, and OpenStreetMap where masks are: no number says how well it does on real images. "
)
_UNEQUAL: Final = 0.02
"""Share by which the steps of two rows may differ and still be called equal."""


def markdown(document: Mapping[str, Any]) -> str:
    """Return the tables, with the rules of reading above them and the answer below.

    Args:
        document: Content of ``comparison.json``.
    """
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    world = _SIMULATED if document["simulated"] else ""
    seeds = map(str, sorted({seed for row in document["rows"] for seed in row["seeds"]}))
    masks = ", all with masks" if any(row["noise"] for row in document["rows"]) else ""
    yield (
        f"{world}Optical teachers of {document['task']}, {document['label_share']:.0%} of the train tiles "
        f"with clean labels{masks}. Clean test tiles; means of the seeds {', '.join(seeds)}; in "
        f"brackets the lowest and highest seed; then the {document['confidence']:.0%} interval over ground. "
        f"{_steps(document)} A difference counts where it exceeds twice the spread of the seeds *and* its "
        "interval leaves out 0."
    )
    yield ""
    scores = list(document["rows"][0]["scores"])
    cells = (_cells(row, scores) for row in document["rows"])
    yield from table_lines(["", *(_SCORES[name] for name in scores), "steps (time)"], cells)
    labels = {row["row"]: row["label"] for row in document["rows"]}
    if document["differences"]:
        yield "### Differences"
        yield ""
        rows = [_compared(found, labels) for found in document["differences"]]
        yield from table_lines(["", "from", "score", "difference", "over ground", "counts"], rows)
    if not masks:
        return
    yield "### At which errors does it stop paying?"
    yield ""
    for kind, answer in document["answers"].items():
        yield f"- {kind}: {answer}"


def _steps(document: Mapping[str, Any]) -> str:
    totals = {row["label"]: sum(row["steps"]) for row in document["rows"]}
    low, high = min(totals.values()), max(totals.values())
    if high - low <= _UNEQUAL * high:
        return f"All rows have equal total steps ({low} to {high})."
    return f"**Total steps are not equal** ({low} to {high}): no difference is one of pre-training alone."


def _cells(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    scores = [row["scores"][name] for name in names]
    shown = [score_cell(score["by_seed"], score["interval"]) for score in scores]
    return [row["label"], *shown, f"{' + '.join(map(str, row['steps']))} ({row['seconds']:.0f} s)"]


def _compared(found: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    return [
        labels[found["row"]],
        labels[found["against"]],
        _SCORES[found["score"]],
        f"{found['difference']:+.3f}",
        difference_cell(found["by_ground"]),
        "yes" if counts(found) else "no",
    ]
