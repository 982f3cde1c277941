"""Pictures of reports: effect sizes of a comparison, and estimated scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from components.lib.report.figures import LINES, save_figure

mpl.use("Agg")
import matplotlib.pyplot as plt

MOST: Final = 24
"""Statistics that are drawn, the most significant ones."""

CALM: Final = "#8a94a0"


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a report's effect sizes.

    Args:
        report: Content of ``drift.json``.
        path: PNG to write.
    """
    rows = report["statistics"][:MOST][::-1]
    figure, axes = plt.subplots(figsize=(6.4, 1.3 + 0.2 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        colour = LINES[1] if row["p_value"] <= report["alpha"] else CALM
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.6)
        axes.plot([row["effect"]], [place], "o", color=colour, markersize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row["statistic"] for row in rows], fontsize=8)
    many = len(report["statistics"])
    words = f"\n{MOST} of {many} statistics, the most significant first" if many > MOST else ""
    axes.set_xlabel(f"difference from the reference, standard deviations of its locations{words}", fontsize=9)
    world = " (simulated)" if report["simulated"] else ""
    found = "differs" if report["drifted"] else "does not differ"
    axes.set_title(
        f"{report['acquisition']}\n{report['sensor']}{world} {found}: p = {report['p_value']:.3g}",
        fontsize=10,
        parse_math=False,  # names may hold a dollar sign
    )
    _save(figure, path)


def draw_estimate(report: dict[str, Any], path: Path) -> None:
    """Draw the scores of an estimate, each with its interval and what it is compared with.

    Args:
        report: Content of ``estimate-<model>.json``.
        path: PNG to write.
    """
    rows = report["scores"][::-1]
    figure, axes = plt.subplots(figsize=(6.4, 1.7 + 0.5 * len(rows)), layout="constrained")
    marks = (
        ("expected", "o", LINES[0], "expected, with interval"),
        ("thresholded", "x", LINES[4], "by thresholded confidence"),
        ("calibration", "|", CALM, "on the calibration's tiles"),
        ("true", "D", LINES[1], "true"),
    )
    for place, row in enumerate(rows):
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=LINES[0], linewidth=1.6)
    for name, marker, colour, label in marks:
        points = [(row[name], place) for place, row in enumerate(rows) if row[name] is not None]
        if points:
            size = 12 if marker == "|" else 5
            axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=size, label=label)
    axes.set_yticks(range(len(rows)), [row["metric"] for row in rows], fontsize=9)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4), xlabel="score of pixels")
    world = " (simulated)" if report["simulated"] else ""
    axes.set_title(f"{report['model']} on {report['acquisition']}{world}", fontsize=10, parse_math=False)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    save_figure(figure, path, dpi=110)
    plt.close(figure)
