"""Report folder of a run: numbers, tables, and plots of values with their intervals over locations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from components.experiments.grid import OURS
from components.experiments.results import CONTROL, ORACLE, SOURCE_ONLY, TEACHER, Row, find
from components.experiments.table import markdown, world_name
from components.lib.files import atomic_directory, write_json, write_text
from components.lib.report.figures import LINES, save_figure

INK, SOFT, GRID_LINE = "#1b1f24", "#525b66", "#d9dee4"
MAIN, MARKED = LINES[0], LINES[1]
DPI = 144
WIDTH = 8.6
ROW_HEIGHT = 0.36
FRAME_HEIGHT = 1.35


def write_evidence(folder: Path, evidence: Row) -> None:
    """Write ``evidence.json``, ``table.md`` and the plots as the new content of ``folder``, atomically."""
    with atomic_directory(folder) as temporary:
        write_json(temporary / "evidence.json", evidence)
        plots = draw_all(temporary, evidence)
        shown = "".join(f"![{path.stem}]({path.name})\n\n" for path in plots)
        write_text(temporary / "table.md", f"{markdown(evidence)}\n{shown}".rstrip() + "\n")


def draw_all(folder: Path, evidence: Row) -> list[Path]:
    """Write every plot for which there are rows; returns the files."""
    drawn = []
    source = [m for m in evidence["methods"] if m["group"] == "source"]
    if source:
        title = f"Buildings from radar by method, {_sensor(evidence, source)} ({world_name(evidence)})"
        drawn.append(_values(folder / "source.png", evidence, source, title, references=(CONTROL, TEACHER)))
    ablations = [m for m in evidence["methods"] if m["group"] == "ablation"]
    if any(_part(evidence, method) for method in ablations):
        drawn.append(_parts(folder / "ablations.png", evidence, ablations))
    target = [m for m in evidence["methods"] if m["group"] == "target"]
    if target:
        title = f"Adaptation to {_sensor(evidence, target)} without its labels ({world_name(evidence)})"
        drawn.append(
            _values(folder / "target.png", evidence, target, title, references=(SOURCE_ONLY, ORACLE))
        )
    return drawn


def _values(
    path: Path, evidence: Row, methods: Sequence[Row], title: str, references: tuple[str, str]
) -> Path:
    """Draw the IoU of each method: mean with interval, seeds as small dots, two methods as vertical lines."""
    canvas, axes = _axes(title, [method["label"] for method in methods])
    for name, style in zip(references, ("--", ":"), strict=True):
        row = find(evidence["rows"], method=name, metric="iou", seed=None)
        if row is not None:
            axes.axvline(row["value"], color=SOFT, linewidth=1, linestyle=style, zorder=1)
    for height, method in enumerate(methods):
        rows = [r for r in evidence["rows"] if r["method"] == method["method"] and r["metric"] == "iou"]
        mean = find(rows, seed=None)
        assert mean is not None
        colour = MARKED if OURS in method["method"] or method["method"] == "csn_self_training" else MAIN
        _dot(axes, height, mean, colour)
        seeds = [row["value"] for row in rows if row["seed"] is not None]
        if len(seeds) > 1:
            axes.plot(seeds, [height + 0.27] * len(seeds), "o", color=colour, markersize=3, alpha=0.55)
        _label(axes, height, f"{mean['value']:.3f}")
    first = find(evidence["rows"], method=methods[0]["method"], metric="iou", seed=None)
    assert first is not None
    labels = {method["method"]: method["label"] for method in evidence["methods"]}
    lines = [
        f"{word}: {labels[name]}"
        for word, name in zip(("dashed", "dotted"), references, strict=True)
        if name in labels
    ]
    axes.set_xlabel(
        f"pixel IoU on {first['split']} ({first['locations']} locations); "
        f"bars: {evidence['confidence']:.0%} interval by location; small dots: seeds\n{'; '.join(lines)}",
        fontsize=8.5,
        color=SOFT,
    )
    return _save(canvas, path)


def _parts(path: Path, evidence: Row, methods: Sequence[Row]) -> Path:
    """Draw the complete method less each variant, against zero."""
    shown = [(method, row) for method in methods if (row := _part(evidence, method)) is not None]
    canvas, axes = _axes(
        f"What each part is worth: IoU of the whole less the variant ({world_name(evidence)})",
        [method["label"] for method, _ in shown],
    )
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    for height, (_, row) in enumerate(shown):
        points = {key: None if row[key] is None else 100 * row[key] for key in ("value", "low", "high")}
        certain = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
        _dot(axes, height, points, MAIN if certain else SOFT)
        _label(axes, height, f"{points['value']:+.1f}")
    axes.set_xlabel(
        f"points of IoU, above 0: the part helps; bars: {evidence['confidence']:.0%} interval by location, "
        "blue where it leaves out 0",
        fontsize=8.5,
        color=SOFT,
    )
    return _save(canvas, path)


def _part(evidence: Row, method: Row) -> Row | None:
    return find(
        evidence["differences"], method=method["compared_with"], against=method["method"], metric="iou"
    )


def _axes(title: str, labels: Sequence[str]) -> tuple[Figure, Any]:
    """Return a canvas with one line per label, the first on top."""
    height = FRAME_HEIGHT + ROW_HEIGHT * len(labels)
    canvas = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
    axes = canvas.subplots()
    axes.set_yticks(range(len(labels)), labels, fontsize=9, color=INK)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=8.5, colors=SOFT)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=GRID_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID_LINE)
    axes.margins(x=0.08)
    canvas.suptitle(title, fontsize=11, color=INK, x=0.02, ha="left", fontweight="bold")
    return canvas, axes


def _dot(axes: Any, height: float, row: Row, colour: str) -> None:  # noqa: ANN401 - Matplotlib has no types
    if row["low"] is not None:
        axes.plot(
            [row["low"], row["high"]], [height, height], color=colour, linewidth=2.2, alpha=0.45, zorder=2
        )
    axes.plot([row["value"]], [height], "o", color=colour, markersize=6.5, zorder=3)


def _label(axes: Any, height: float, text: str) -> None:  # noqa: ANN401 - as above
    axes.annotate(
        text,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        fontsize=8.5,
        color=INK,
        va="center",
    )


def _sensor(evidence: Row, methods: Sequence[Row]) -> str:
    row = find(evidence["rows"], method=methods[0]["method"])
    assert row is not None
    return str(row["sensor"])


def _save(canvas: Figure, path: Path) -> Path:
    save_figure(canvas, path)
    return path
