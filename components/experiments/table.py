"""Tables of the results in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from components.experiments.results import (
    CONTROL,
    CONTROL_TWICE,
    OPTICAL_INIT,
    SOURCE_ONLY,
    UPPER_BOUNDS,
    Row,
    find,
)

NONE = "-"


def markdown(evidence: Row) -> str:
    """Return the whole document."""
    return "\n".join(
        [
            *_head(evidence),
            *_source(evidence),
            *_ablations(evidence),
            *_target(evidence),
            *_targets(evidence),
            *_foot(evidence),
        ]
    )


def ratio(row: Row | None) -> str:
    """Return ``0.512 [0.480, 0.541]``; a dash for a missing value."""
    return _with_ends(row, lambda value: f"{value:.3f}")


def points(row: Row | None) -> str:
    """Return a difference in points: ``+2.1 [+0.8, +3.3]``."""
    return _with_ends(row, lambda value: f"{100 * value:+.1f}")


def share(row: Row | None) -> str:
    """Return a share of a gap: ``45 % [20 %, 71 %]``."""
    return _with_ends(row, lambda value: f"{100 * value:.0f} %")


def world_name(evidence: Row) -> str:
    """Return the name of the world for titles."""
    return "simulated world" if evidence["simulated"] else "real data"


def _with_ends(row: Row | None, shown: Any) -> str:  # noqa: ANN401 - a function of a float
    if row is None or row["value"] is None:
        return NONE
    text = str(shown(row["value"]))
    return text if row["low"] is None else f"{text} [{shown(row['low'])}, {shown(row['high'])}]"


def _head(evidence: Row) -> Iterator[str]:
    yield f"# What each method is worth ({world_name(evidence)})"
    yield ""
    if evidence["simulated"]:
        yield "**All numbers are of the simulated rehearsal world**, not of SpaceNet 6."
        yield ""
    count = len(evidence["seeds"])
    yield (
        f"Means over seeds {_listed(evidence['seeds'])} ({count} per method; ablations: "
        f"{_listed(evidence['ablation_seeds'])}). In brackets: {evidence['confidence']:.0%} interval over "
        "locations, which says how sure a mean is about other ground; how far trainings differ among "
        "themselves is the range over the seeds. Differences are paired by location, in points of 0.01."
    )
    yield ""
    if evidence["missing"]:
        yield f"**Missing** (failed): {'; '.join(evidence['missing'])}."
        yield ""


def _source(evidence: Row) -> Iterator[str]:
    methods = _of(evidence, "source")
    if not methods:
        return
    yield f"## Source sensor ({_place(evidence, methods)})"
    yield ""
    yield from table_lines(
        (
            "Method",
            "IoU",
            "Seeds' range",
            "Against the control",
            "... with twice the steps",
            "... from the teacher's weights",
            "Gap closed",
            "Building F1",
            "Parameters",
            "Steps (time)",
        ),
        (
            (
                method["label"],
                ratio(_mean(evidence, method, "iou")),
                _range(evidence, method),
                points(_difference(evidence, method["method"], CONTROL)),
                points(_difference(evidence, method["method"], CONTROL_TWICE)),
                points(_difference(evidence, method["method"], OPTICAL_INIT)),
                share(find(evidence["gap_closure"], method=method["method"], metric="iou")),
                ratio(_mean(evidence, method, "spacenet_f1")),
                f"{method['parameters'] / 1e6:.2f} M",
                _effort(method),
            )
            for method in methods
        ),
    )
    yield "Gap closed: (student - control) / (teacher - control), IoU. F1 of buildings is SpaceNet's."
    yield ""


def _ablations(evidence: Row) -> Iterator[str]:
    methods = _of(evidence, "ablation")
    if not methods:
        return
    yield "## What each part is worth"
    yield ""
    yield from table_lines(
        ("Variant", "IoU", "The whole less the variant, IoU", "Building F1", "Seeds"),
        (
            (
                method["label"],
                ratio(_mean(evidence, method, "iou")),
                points(_difference(evidence, method["compared_with"], method["method"])),
                points(_difference(evidence, method["compared_with"], method["method"], "spacenet_f1")),
                ", ".join(map(str, method["seeds"])),
            )
            for method in methods
        ),
    )
    yield "Above 0: the method is better as it is than the variant."
    yield ""


def _target(evidence: Row) -> Iterator[str]:
    methods = _of(evidence, "target")
    if not methods:
        return
    yield f"## Target sensor, no labels ({_place(evidence, methods)})"
    yield ""
    yield from table_lines(
        ("Method", "IoU", "Seeds' range", "Against source only", "Recovered", "Building F1"),
        (
            (
                method["label"],
                ratio(_mean(evidence, method, "iou")),
                _range(evidence, method),
                points(_difference(evidence, method["method"], SOURCE_ONLY)),
                share(find(evidence["recovery"], method=method["method"], metric="iou")),
                ratio(_mean(evidence, method, "spacenet_f1")),
            )
            for method in methods
        ),
    )
    yield (
        "Recovered: (adapted - source only) / (oracle - source only), IoU. CSN: normalisation statistics of "
        "the target's own; input moments: its bands given the source's mean and deviation. Neither needs "
        "labels."
    )
    yield ""


def _targets(evidence: Row) -> Iterator[str]:
    if not evidence["targets"]:
        return
    yield "## Targets"
    yield ""
    yield from table_lines(
        ("Target", "Measured", "Met"),
        (
            (
                row["target"],
                NONE if row["value"] is None else f"{row['value']:.3f} (lower end {_end(row['low'])})",
                "yes" if row["met"] else "no",
            )
            for row in evidence["targets"]
        ),
    )


def _foot(evidence: Row) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    yield f"    {evidence['command']}"
    yield ""
    worlds = ", ".join(f"{name} `{sha[:12]}`" for name, sha in evidence["world_sha256"].items())
    yield f"World (SHA-256): {worlds}. Budget: `{evidence['budget_sha256'][:12]}`."
    if evidence["left_out"]:
        yield f"Left out of the grid: {', '.join(evidence['left_out'])}."
    yield ""


def table_lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown, and an empty one."""
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _of(evidence: Row, group: str) -> list[Row]:
    return [method for method in evidence["methods"] if method["group"] == group]


def _mean(evidence: Row, method: Row, metric: str) -> Row | None:
    return find(evidence["rows"], method=method["method"], metric=metric, seed=None)


def _difference(evidence: Row, method: str, against: str, metric: str = "iou") -> Row | None:
    if method in UPPER_BOUNDS and against != SOURCE_ONLY:
        return None
    return find(evidence["differences"], method=method, against=against, metric=metric)


def _range(evidence: Row, method: Row) -> str:
    values = [
        row["value"]
        for row in evidence["rows"]
        if row["method"] == method["method"] and row["metric"] == "iou" and row["seed"] is not None
    ]
    return f"{min(values):.3f} to {max(values):.3f}" if len(values) > 1 else NONE


def _effort(method: Row) -> str:
    if method["training_seconds"] is None:
        return NONE
    return f"{method['steps']} ({method['training_seconds']:.0f} s)"


def _place(evidence: Row, methods: Sequence[Row]) -> str:
    row = _mean(evidence, methods[0], "iou")
    assert row is not None
    return f"{row['sensor']}, {row['split']}, {row['locations']} locations"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _end(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
