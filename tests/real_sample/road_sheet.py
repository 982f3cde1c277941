"""The sheet of the real road tile: masks and graphs over the image, OpenStreetMap against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from components.lib.files import atomic_file
from components.lib.report.panels import (
    FALSE_ALARM,
    Colour,
    Picture,
    difference_panel,
    graph_panel,
    probability_panel,
)
from tests.real_sample.road_sample import STEPS, Compared, Sample

ROAD: Final[Colour] = (240, 228, 66)
LINE: Final[Colour] = (240, 228, 66)
NODE: Final[Colour] = FALSE_ALARM
BOTH, ONLY_TRUTH, ONLY_OSM = "#009E73", "#0072B2", "#D55E00"
"""Okabe and Ito's green, blue and vermillion."""

_INK, _SOFT = "#1b1f24", "#525b66"
_ACROSS, _DOWN, _DPI = 15.0, 9.5, 130
"""Inches, and pixels per inch."""

_LEFT = 0.015
"""Margin, share of the width."""

CREDIT = (
    "Image and truth: SpaceNet 3, CC BY-SA 4.0, the image as published with its marks, shown brighter. "
    "OpenStreetMap: \u00a9 OpenStreetMap contributors, ODbL 1.0."
)


def draw_sheet(path: Path, sample: Sample, compared: Sequence[Compared]) -> None:
    """Write the PNG: the tile with its image above, the tiles with OpenStreetMap below."""
    canvas = Figure(figsize=(_ACROSS, _DOWN), dpi=_DPI, facecolor="white")
    panels = image_panels(sample)
    height, width = panels[0][2].shape[:2]
    heading(canvas, 0.25, f"SpaceNet 3, {sample.tile.image_id}: from label and image to graphs")
    upper = row(canvas, len(panels), 0.95, height / width)
    for axes, (title, note, picture) in zip(upper, panels, strict=True):
        axes.imshow(picture, interpolation="antialiased")
        axes.set_axis_off()
        head(axes, title, note)
    heading(canvas, 5.5, "OpenStreetMap against the truth of other tiles, within 4 m")
    legend = [
        Line2D([], [], color=colour, linewidth=3, label=label)
        for colour, label in ((BOTH, "both"), (ONLY_TRUTH, "only truth"), (ONLY_OSM, "only OpenStreetMap"))
    ]
    canvas.legend(
        handles=legend, loc="center right", bbox_to_anchor=(1.0 - _LEFT, 1.0 - 5.5 / _DOWN), ncols=3,
        frameon=False, fontsize=10, labelcolor=_INK,
    )  # fmt: skip
    for axes, tile in zip(row(canvas, len(compared), 6.25, 0.62), compared, strict=True):
        osm_panel(axes, tile)
    canvas.text(_LEFT, 0.012, CREDIT, fontsize=8, color=_SOFT)
    FigureCanvasAgg(canvas)
    with atomic_file(path, sweep=False) as temporary:
        canvas.savefig(temporary, format="png", metadata={"Software": None})


def row(canvas: Figure, count: int, top: float, ratio: float) -> list[Axes]:
    """Axes side by side, all of one size, ``top`` inches below the edge; ``ratio`` is height by width."""
    gap = 0.018
    width = (1.0 - 2 * _LEFT - gap * (count - 1)) / count
    height = width * _ACROSS * ratio / _DOWN
    bottom = 1.0 - top / _DOWN - height
    return [
        canvas.add_axes((_LEFT + number * (width + gap), bottom, width, height)) for number in range(count)
    ]


def heading(canvas: Figure, down: float, text: str) -> None:
    """Put a heading ``down`` inches below the edge."""
    canvas.text(_LEFT, 1.0 - down / _DOWN, text, fontsize=14, fontweight="bold", color=_INK, va="center")


def image_panels(sample: Sample) -> list[tuple[str, str, Picture]]:
    """Title, note and picture of the panels above."""
    picture = brighter(np.moveaxis(sample.tile.image.values, 0, -1))
    true = sample.masks[..., 0] > 0
    graph = sample.traced.graph
    lines = [shapely.get_coordinates(shape) for shape in graph.shapes]
    apls = sample.scores["traced_truth"]
    return [
        (
            "Label over image",
            f"{len(sample.tile.roads.lines)} lines, drawn 2 m to each side",
            tinted(picture, true, ROAD),
        ),
        (
            f"Probability after {STEPS} steps",
            f"on this very tile, to show that it runs; {sample.probability.max():.2f} at most, stretched",
            probability_panel(stretched(sample.probability)),
        ),
        (
            "Predicted mask",
            "right white, missed blue, false red; its likeliest pixels",
            difference_panel(true, sample.predicted, picture),
        ),
        (
            "Graph traced from the label",
            f"{len(sample.traced)} edges; APLS java {apls['java']['apls']:.4f}, "
            f"cosmiq {apls['cosmiq']['apls']:.4f}",
            graph_panel(picture, lines, graph.nodes, LINE, NODE),
        ),
    ]


def osm_panel(axes: Axes, tile: Compared) -> None:
    """Draw the lines of one tile in metres, north up."""
    shapes = (tile.both, BOTH), (tile.only_truth, ONLY_TRUTH), (tile.only_osm, ONLY_OSM)
    corner = np.array(shapely.total_bounds([shape for shape, _ in shapes])[:2])
    for shape, colour in shapes:
        for line in shapely.get_parts(shape):
            xy = shapely.get_coordinates(line) - corner
            axes.plot(xy[:, 0], xy[:, 1], color=colour, linewidth=2.4, solid_capstyle="round")
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set_axis_off()
    scale_bar(axes)
    java, cosmiq = tile.scores["java"], tile.scores["cosmiq"]
    length = tile.scores["relaxed"]["length"]
    head(
        axes,
        tile.image_id,
        f"APLS java {java['apls']:.4f}, cosmiq {cosmiq['apls']:.4f}; by length precision "
        f"{number(length['precision'])}, recall {number(length['recall'])}",
    )


def brighter(image: npt.NDArray[np.uint8]) -> Picture:
    """Return the image (H, W, 3) with its dark parts raised (gamma 0.6), for the eye alone."""
    return np.ascontiguousarray(np.rint(255.0 * (image / 255.0) ** 0.6).astype(np.uint8))


def scale_bar(axes: Axes) -> None:
    """Draw a bar of 20 or 100 metres in the lower right corner."""
    (_, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    bar = 100 if high - low > 200 else 20
    end, base = right, low - 0.03 * (high - low)
    axes.plot([end - bar, end], [base, base], color=_INK, linewidth=2, solid_capstyle="butt")
    axes.text(
        end - bar / 2, base - 0.02 * (high - low), f"{bar} m", fontsize=8, color=_SOFT, ha="center", va="top"
    )


def head(axes: Axes, title: str, note: str) -> None:
    """Put a heading and a line in small print above a panel."""
    for text, up, size, weight, colour in (
        (title, 19, 11, "bold", _INK),
        (note, 6, 8, "normal", _SOFT),
    ):
        axes.annotate(
            text, (0.0, 1.0), (0, up), xycoords="axes fraction", textcoords="offset points", fontsize=size,
            fontweight=weight, color=colour, annotation_clip=False,
        )  # fmt: skip


def stretched(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the probability with its 2nd and 98th percentiles at 0 and 1, for the eye alone."""
    low, high = np.percentile(probability, (2, 98))
    return (probability - np.float32(low)) / np.float32(max(high - low, 1e-6))


def tinted(picture: Picture, mask: npt.NDArray[np.bool_], colour: Colour) -> Picture:
    """Paint a mask over a picture that shows through."""
    painted = picture.copy()
    painted[mask] = (0.4 * painted[mask] + 0.6 * np.array(colour)).astype(np.uint8)
    return painted


def number(value: float | None) -> str:
    """A share with two decimals."""
    return "-" if value is None else f"{value:.2f}"
