"""Errors of the score without labels as Markdown, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from components.experiments.drift.shifts import NONE, SHIFTS
from components.experiments.drift.world import AREAS
from components.lib.report.figures import LINES, save_figure

mpl.use("Agg")
import matplotlib.pyplot as plt

Document = dict[str, Any]

UNITS = {shift.name: shift.unit for shift in SHIFTS}

GREY = "#8a94a0"


def markdown(document: Document) -> str:
    """Return the tables by shift, and by shift and size."""
    scale = document["scale"]
    head = (
        "| acquisitions | true IoU | expected | bias | mean absolute error | by thresholded confidence | "
        "by the calibration's score | correlation | intervals that cover |"
    )
    return "\n".join(
        [
            f"Simulated: {document['model']} on acquisitions of {AREAS * scale['tiles']} tiles of "
            f"{scale['tile_px']} pixels, calibrated on {document['calibration_blocks']} ground blocks.",
            "",
            f"| shift {head}",
            "|---" * 10 + "|",
            *(f"| {row['shift']} {_cells(row)}" for row in document["by_shift"] if row["acquisitions"]),
            f"| all {_cells(document['all'])}",
            "",
            f"| shift | size {head}",
            "|---" * 11 + "|",
            *(
                f"| {row['shift']} | {_size(row)} {_cells(row)}"
                for row in document["by_size"]
                if row["acquisitions"]
            ),
            "",
        ]
    )


def picture(document: Document, path: Path) -> None:
    """Draw the expected IoU against the true one, a colour for each shift.

    Args:
        document: Content of ``score.json``.
        path: PNG to write.
    """
    figure, axes = plt.subplots(figsize=(5.6, 5.2), layout="constrained")
    colours = {NONE[0]: GREY, **dict(zip(UNITS, LINES, strict=True))}
    for name, colour in colours.items():
        rows = [row for row in document["acquisitions"] if row["shift"] == name]
        axes.plot(
            [row["true"] for row in rows],
            [row["expected"] for row in rows],
            "o",
            color=colour,
            markersize=4,
            alpha=0.8,
            label="no shift" if name == NONE[0] else name,
        )
    values = [row[name] for row in document["acquisitions"] for name in ("true", "expected")]
    ends = max(min(values) - 0.03, 0.0), min(max(values) + 0.03, 1.0)
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xlim=ends, ylim=ends, xlabel="true pixel IoU", ylabel="expected pixel IoU, without labels")
    axes.set_title("Simulated acquisitions: expected and true score", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    save_figure(figure, path, dpi=110)
    plt.close(figure)


def _size(row: Document) -> str:
    return f"{row['size']:g} {UNITS[row['shift']]}" if row["shift"] in UNITS else ""


def _cells(row: Document) -> str:
    correlation = "" if row["correlation"] is None else f"{row['correlation']:.2f}"
    mae = row["mae"]
    return (
        f"| {row['acquisitions']} | {row['true']:.3f} | {row['expected']:.3f} | {row['bias']:+.3f} | "
        f"{mae['expected']:.3f} | {mae['thresholded']:.3f} | {mae['calibration']:.3f} | {correlation} | "
        f"{row['covered']} of {row['intervals']} |"
    )
