"""Picture of a comparison: effect sizes with their intervals, one line per statistic."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from components.lib.files import atomic_file
from components.lib.report.figures import LINES

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
    axes.set_xlabel("difference from the reference, standard deviations of its locations", fontsize=9)
    world = " (simulated)" if report["simulated"] else ""
    found = "differs" if report["drifted"] else "does not differ"
    axes.set_title(
        f"{report['acquisition']}\n{report['sensor']}{world} {found}: p = {report['p_value']:.3g}",
        fontsize=10,
    )
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
