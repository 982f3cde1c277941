"""Figures drawn with Matplotlib, off screen: training curves, bars of scores and the overview picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.lib.files import atomic_file
from components.lib.metrics.intervals import Interval
from components.lib.report.content import Panel
from components.lib.report.panels import fit

LINES: Final[tuple[str, ...]] = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Line colours in order of use, apart for every kind of colour vision (Okabe and Ito, 2008)."""

CSS_PER_INCH = 96
"""Pixels of a page per inch."""

DENSITY = 2
"""Pixels of a figure per pixel of a page, for dense screens."""

_INK = "#1b1f24"
_SOFT = "#525b66"
_LINE = "#d9dee4"


def draw_curve(path: Path, curve: pd.DataFrame, *, colour: str = LINES[0]) -> tuple[int, int]:
    """Draw total training loss against the step; both axes begin where the curve does.

    Args:
        path: PNG to write.
        curve: Table with the columns ``step`` and ``loss``.
        colour: Colour of the line.

    Returns:
        Width and height on a page, CSS pixels.
    """
    canvas, axes = _curve_canvas(3.1, 2.2)
    axes.plot(curve["step"], curve["loss"], color=colour, linewidth=1.4)
    return _save(canvas, path)


def draw_terms(path: Path, curve: pd.DataFrame, terms: Sequence[str]) -> tuple[int, int]:
    """Draw several columns of a training curve against the step, with a legend beside them.

    Args:
        path: PNG to write.
        curve: Table with the column ``step`` and one column per term.
        terms: Columns to draw; the first is drawn thicker.

    Returns:
        Width and height on a page, CSS pixels.
    """
    canvas, axes = _curve_canvas(5.6, 2.9)
    for number, term in enumerate(terms):
        style = "-" if number < len(LINES) else "--"
        width = 1.1 if number else 2.0
        axes.plot(
            curve["step"], curve[term], style, color=LINES[number % len(LINES)], linewidth=width, label=term
        )
    canvas.legend(loc="outside right upper", fontsize=8, frameon=False, labelcolor=_SOFT)
    return _save(canvas, path)


def draw_bars(path: Path, bars: Sequence[tuple[str, Interval]], label: str) -> tuple[int, int]:
    """Draw one horizontal bar per value with its interval, the first on top, on an axis from zero.

    Args:
        path: PNG to write.
        bars: Title and value of each bar; a value without an interval has no whisker.
        label: Title of the axis.

    Returns:
        Width and height on a page, CSS pixels.
    """
    canvas = Figure(figsize=(7.4, 0.75 + 0.24 * len(bars)), dpi=DENSITY * CSS_PER_INCH, layout="constrained")
    axes = canvas.subplots()
    rows = range(len(bars))
    axes.barh(rows, [value.value for _, value in bars], height=0.62, color=LINES[0])
    for row, (_, value) in zip(rows, bars, strict=True):
        if not value.degenerate:
            axes.plot((value.low, value.high), (row, row), color=_INK, linewidth=1.2)
    axes.set_yticks(rows, [title for title, _ in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(label, fontsize=8.5, color=_SOFT)
    _plain(axes, grid="x", line="left")
    return _save(canvas, path)


def draw_overview(path: Path, panels: Sequence[Panel], caption: str) -> tuple[int, int]:
    """Draw one row of panels with their titles and a caption, for the head of a README.

    Args:
        path: PNG to write.
        panels: Pictures of one tile, left to right.
        caption: A line below them; says where the data are simulated.

    Returns:
        Width and height on a page, CSS pixels.
    """
    canvas = Figure(figsize=(2.3 * len(panels), 2.95), dpi=DENSITY * CSS_PER_INCH, facecolor="white")
    gap = 0.008
    width = (1 - gap * (len(panels) + 1)) / len(panels)
    height = width * 2.3 * len(panels) / 2.95
    for k, panel in enumerate(panels):
        axes = canvas.add_axes((gap + k * (width + gap), 0.1, width, height))
        axes.imshow(fit(panel.picture, 450), interpolation="antialiased")
        axes.set_axis_off()
        left = gap + k * (width + gap)
        canvas.text(left, 0.905, panel.title, fontsize=10.5, fontweight="bold", color=_INK)
        canvas.text(left + width, 0.905, panel.note, fontsize=9, color=_SOFT, ha="right")
    canvas.text(gap, 0.03, caption, fontsize=8.5, color=_SOFT)
    return _save(canvas, path)


def _curve_canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of ``width`` x ``height`` inches for values against the step."""
    canvas = Figure(figsize=(width, height), dpi=DENSITY * CSS_PER_INCH, layout="constrained")
    axes = canvas.subplots()
    axes.set_xlabel("step", fontsize=8.5, color=_SOFT)
    axes.set_ylabel("loss", fontsize=8.5, color=_SOFT)
    axes.margins(x=0, y=0.05)
    _plain(axes, grid="y", line="bottom")
    return canvas, axes


def _plain(axes: Axes, *, grid: Literal["x", "y"], line: str) -> None:
    """Leave light grid lines and the axis' line on the side ``line``."""
    axes.tick_params(labelsize=8, colors=_SOFT, length=0)
    axes.grid(axis=grid, color=_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == line)
        spine.set_color(_LINE)


def save_figure(
    canvas: Figure, path: Path, *, dpi: float | Literal["figure"] = "figure", sweep: bool = True
) -> None:
    """Write a figure as PNG; the same numbers give the same bytes.

    Args:
        canvas: The figure.
        path: File to write.
        dpi: Pixels per inch; by default the figure's own.
        sweep: As for :func:`components.lib.files.atomic_file`.
    """
    FigureCanvasAgg(canvas)
    with atomic_file(path, sweep=sweep) as temporary:
        canvas.savefig(temporary, format="png", dpi=dpi, metadata={"Software": None})  # no software stamp


def _save(canvas: Figure, path: Path) -> tuple[int, int]:
    """Write a figure of a page; return its size, pixels of the page."""
    save_figure(canvas, path, sweep=False)
    width, height = canvas.get_size_inches() * CSS_PER_INCH
    return round(width), round(height)
