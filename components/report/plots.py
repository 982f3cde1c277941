"""Page of plots: every term of every training curve, and the scores by slice, drawn without a network."""

from __future__ import annotations

import logging
from pathlib import Path

from components.lib.evaluation.names import model_title, training_title
from components.lib.evaluation.results import Evaluation, read_evaluation
from components.lib.files import atomic_directory
from components.lib.report.content import FigureFile, PageLink, PlotsContent
from components.lib.report.figures import draw_bars, draw_terms
from components.lib.report.page import write_plots
from components.report.curves import ALL_STAGES, training_curves
from components.report.slices import SLICE_TITLES, slice_title
from components.report.text import simulated_notice

LOG = logging.getLogger(__name__)

LINKS = (
    PageLink(address="../evaluate/report/index.html", title="Evaluation of the models"),
    PageLink(address="../validate/docs/index.html", title="Validation of the data"),
    PageLink(address="../promote/decision.txt", title="Decision on the champions"),
)
"""Pages that stages of the same run leave, relative to this one."""

NO_LOSS = ("step", "lr")
"""Columns of a training curve that are no term of the loss."""


def make_plots(reports: Path) -> Path:
    """Draw the training curves and the slices of an evaluation into ``reports/plots``.

    Args:
        reports: Folder with the curves and the results of an evaluation.

    Returns:
        The page.

    Raises:
        MissingInputError: If there are no results of an evaluation.
        BadDataError: If they do not fit this version of the code.
    """
    evaluation = read_evaluation(reports / "evaluate" / "results.json")
    out = reports / "plots"
    with atomic_directory(out) as folder:
        curves = _draw_curves(folder, reports)
        bars = _draw_slices(folder, evaluation)
        sections = [
            ("Training", "Every term of each loss against the step; terms are weighted differently.", curves),
            ("Slices", f"Test tiles of {evaluation.headline}; the line over a bar is the interval.", bars),
        ]
        content = PlotsContent(
            title="Buildings from radar: plots",
            simulated=simulated_notice(evaluation),
            sections=sections,
            links=LINKS,
        )
        write_plots(folder, content)
    LOG.info("plots: %s", out / "index.html")
    return out / "index.html"


def _draw_curves(folder: Path, reports: Path) -> list[FigureFile]:
    figures: list[FigureFile] = []
    for training, curve in training_curves(reports, ALL_STAGES):
        terms = ["loss", *(c for c in curve.columns if c not in (*NO_LOSS, "loss"))]
        picture = f"curves/{len(figures) + 1}.png"
        width, height = draw_terms(folder / picture, curve, terms)
        title = training_title(training)
        alt = f"Loss against the step, {title}: {', '.join(terms)}"
        figures.append(FigureFile(path=picture, alt=alt, width=width, height=height, caption=title))
    return figures


def _draw_slices(folder: Path, evaluation: Evaluation) -> list[FigureFile]:
    """Draw pixel IoU, or SpaceNet F1 for building sizes, of all models by slice, one figure per dimension."""
    figures: list[FigureFile] = []
    for dimension, title in {"all": "All test tiles", **SLICE_TITLES}.items():
        part = [s for s in evaluation.slices if s.dimension == dimension]
        if not part:
            continue
        named = [
            (s, "" if dimension == "all" else f": {slice_title(evaluation, dimension, s.name)}") for s in part
        ]
        shown = ((s, name, s.iou or s.f1) for s, name in named)
        bars = [(f"{model_title(s.model)}, {s.sensor}{name}", value) for s, name, value in shown if value]
        label = "SpaceNet F1" if part[0].iou is None else "pixel IoU"
        picture = f"slices/{len(figures) + 1}.png"
        width, height = draw_bars(folder / picture, bars, label)
        alt = f"{title}, {label}: " + "; ".join(f"{name} {value.value:.3f}" for name, value in bars)
        figures.append(FigureFile(path=picture, alt=alt, width=width, height=height, caption=title))
    return figures
