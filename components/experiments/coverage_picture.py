"""Picture of the characteristics that :mod:`components.experiments.coverage` measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from components.lib.files import atomic_file

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Document = dict[str, Any]
COLOURS = {"iou": "#1f5fa8", "iou difference": "#6da5db", "f1": "#b3541e", "f1 difference": "#e2a06f"}


def picture(document: Document, path: Path) -> None:
    """Draw coverage, false promotions of champion lines, and the gains that are found.

    Args:
        document: Content of ``coverage.json``.
        path: PNG to write.
    """
    figure, axes = plt.subplots(1, 3, figsize=(13.0, 3.9), layout="constrained")
    _coverage(axes[0], document)
    _lines(axes[1], document)
    _power(axes[2], document)
    figure.suptitle(
        f"Simulated agreement on {document['tiles']} tile positions, {document['blocks']} ground blocks of "
        f"{document['block_m']:g} m",
        fontsize=11,
    )
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    plt.close(figure)


def _coverage(axes: Axes, document: Document) -> None:
    rows = document["coverage"]
    for name, colour in COLOURS.items():
        own = [row for row in rows if row["statistic"] == name]
        ranges, covered = [row["range_m"] for row in own], [100 * row["covered"] for row in own]
        axes.plot(ranges, covered, "o-", color=colour, label=name.replace("iou", "IoU").replace("f1", "F1"))
    axes.axhspan(94, 96, color="#dddddd", zorder=0)
    axes.set(
        title="Intervals that cover, where 95 % are meant",
        xlabel="range of correlation, metres",
        ylabel="%",
        ylim=(90, 100),
        xticks=sorted({row["range_m"] for row in rows}),
    )
    axes.legend(fontsize=8, loc="lower left")


def _lines(axes: Axes, document: Document) -> None:
    lines = document["lines"]
    upto = np.arange(1, lines["challengers"] + 1)
    axes.plot(upto, 100 * np.array(lines["fixed_level"]), color="#999999", label="each tested at 5 %")
    axes.plot(upto, 100 * np.array(lines["promoted"]), color="#1f5fa8", label="error budget is spent")
    axes.axhline(100 * lines["budget"], color="black", linewidth=0.8, linestyle=":", label="the budget")
    axes.set(
        title="Champion lines with a false promotion",
        xlabel="challengers of an equal recipe",
        ylabel="% of lines",
        xscale="log" if len(upto) > 10 else "linear",
        ylim=(0, None),
    )
    axes.legend(fontsize=8, loc="upper left")


def _power(axes: Axes, document: Document) -> None:
    rows = document["power"]
    numbers, gains = [str(row["number"]) for row in rows], [100 * row["gain"] for row in rows]
    bars = axes.bar(numbers, gains, color="#6da5db")
    axes.bar_label(bars, [f"{gain:.1f}" for gain in gains], fontsize=8)
    axes.set(
        title="Gain in IoU that is found with 80 % power",
        xlabel="number of the challenger",
        ylabel="points",
    )
