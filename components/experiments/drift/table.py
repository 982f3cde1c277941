"""Results of the drift study as Markdown, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from components.experiments.drift.study import TARGET
from components.lib.report.figures import LINES, save_figure

mpl.use("Agg")
import matplotlib.pyplot as plt

Document = dict[str, Any]


def markdown(document: Document) -> str:
    """Return both tables."""
    lines = [
        f"Simulated: acquisitions of {document['tiles']} tiles at {document['locations']} locations, "
        f"references of {document['reference_acquisitions']} such acquisitions, {document['statistics']} "
        f"statistics, {document['permutations']} permutations, alpha {document['alpha']:.0%}.",
        "",
        "| test | null acquisitions | false alarms | 95 % interval |",
        "|---|---|---|---|",
        *(
            f"| {row['test']} | {row['acquisitions']} | {_share(row)} | {_interval(row)} |"
            for row in document["null"]
        ),
        "",
        "| shift | size | repetitions | found | 95 % interval | most often by |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['shift']} | {row['size']:g} {row['unit']} | {row['acquisitions']} | {_share(row)} | "
            f"{_interval(row)} | {row['by'] or ''} |"
            for row in document["power"]
        ),
        "",
    ]
    return "\n".join(lines)


def picture(document: Document, path: Path) -> None:
    """Draw the power by the size of each shift, with the rate of false alarms where the size is none.

    Args:
        document: Content of ``drift.json``.
        path: PNG to write.
    """
    names = list(dict.fromkeys(row["shift"] for row in document["power"]))
    figure, axes = plt.subplots(2, 3, figsize=(10.5, 5.4), sharey=True, layout="constrained")
    null = document["null"][0]["rate"] or 0.0
    alarms = f"false alarms aimed at, {document['alpha']:g}"
    for place, name, colour in zip(axes.flat, names, LINES, strict=False):
        rows = [row for row in document["power"] if row["shift"] == name and row["rate"] is not None]
        ticks = range(len(rows) + 1)
        rates = [null, *(row["rate"] for row in rows)]
        place.plot(ticks, rates, "o-", color=colour)
        place.vlines(ticks[1:], [row["low"] for row in rows], [row["high"] for row in rows], color=colour)
        place.axhline(document["alpha"], color="black", linewidth=0.8, linestyle=":", label=alarms)
        place.axhline(TARGET, color="#999999", linewidth=0.8, label=f"power {TARGET:g}")
        unit = rows[0]["unit"] if rows else ""
        place.set_xticks(ticks, ["none", *(f"{row['size']:g}" for row in rows)])
        place.set(title=name, xlabel=unit, ylim=(0, 1.02))
    figure.supylabel("share of acquisitions called drifted")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    figure.suptitle("Simulated acquisitions: drift that is found, by its size", fontsize=11)
    save_figure(figure, path, dpi=110)
    plt.close(figure)


def _share(row: Document) -> str:
    return "" if row["rate"] is None else f"{row['alarms']} ({row['rate']:.1%})"


def _interval(row: Document) -> str:
    return "" if row["rate"] is None else f"{row['low']:.1%} to {row['high']:.1%}"
