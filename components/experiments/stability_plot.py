"""Picture of the spread of repeated trainings: every training a dot, by network and by what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from components.lib.files import atomic_file
from components.lib.report.figures import LINES

CAUSES = ("rounding", "threads", "seeds")


def draw_stability(path: Path, document: Mapping[str, Any]) -> None:
    """Draw the pixel IoU of every repeated training.

    Args:
        path: File to write, PNG.
        document: Content of ``stability.json``.
    """
    networks = [name for name in ("control", "student") if name in document]
    figure = Figure(figsize=(7.2, 2.6), dpi=144, layout="constrained")
    axes = figure.subplots(1, len(networks), sharex=True, squeeze=False)[0]
    for axis, network, colour in zip(axes, networks, LINES, strict=False):
        for height, cause in enumerate(reversed(CAUSES)):
            found = document[network].get(cause)
            if found is None:  # one training alone
                continue
            axis.plot(found["iou"], [height] * len(found["iou"]), "o", color=colour, alpha=0.7, markersize=5)
            axis.annotate(
                f"{100 * found['spread']:.2f} points",
                (1.0, height + 0.2),
                xycoords=("axes fraction", "data"),
                ha="right",
                fontsize=8,
            )
        axis.set_yticks(range(len(CAUSES)), reversed(CAUSES))
        axis.set_ylim(-0.5, len(CAUSES) - 0.3)
        axis.set_title(network, fontsize=9, loc="left")
        axis.set_xlabel("pixel IoU, clean test tiles", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(axis="x", alpha=0.3)
    world = "simulated world" if document["simulated"] else "real data"
    figure.suptitle(
        f"Equal recipes trained again ({world}); standard deviations at the right",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png")
