"""The stage: read the results, draw the page."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from components.lib.disk import require_writable
from components.lib.evaluation.examples import ExampleTile, read_examples
from components.lib.evaluation.names import training_title
from components.lib.evaluation.results import Evaluation, read_evaluation
from components.lib.evaluation.stability import read_evidence
from components.lib.files import atomic_directory
from components.lib.report.content import FigureFile, PageLink, ReportContent
from components.lib.report.figures import LINES, draw_curve, draw_overview
from components.lib.report.page import write_report
from components.report.curves import training_curves
from components.report.parameters import ReportParameters
from components.report.slices import slice_tables
from components.report.text import (
    definitions,
    difference_rows,
    evidence_on,
    result_tables,
    simulated_notice,
    spread_sentence,
    summary,
)
from components.report.tiles import gallery, overview

LOG = logging.getLogger(__name__)

LINKS = (
    PageLink(address="../../validate/docs/index.html", title="Validation of the data"),
    PageLink(address="../../promote/decision.txt", title="Decision on the champions"),
)
"""Pages that other stages of the same run leave, relative to the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPaths:
    """Files and folders of the stage."""

    reports: Path = Path("reports")

    @property
    def evaluation(self) -> Path:
        """Folder with the results and examples, and the report itself."""
        return self.reports / "evaluate"

    @property
    def out(self) -> Path:
        """Folder of the report."""
        return self.evaluation / "report"


def make_report(parameters: ReportParameters, paths: ReportPaths) -> None:
    """Draw the report from the results, the example tiles and the training curves.

    Raises:
        MissingInputError: If the results, the examples or the evidence are absent.
        BadDataError: If they do not fit this version of the code.
    """
    require_writable(paths.out.parent)
    evaluation = read_evaluation(paths.evaluation / "results.json")
    evidence = evidence_on(evaluation.task, read_evidence(parameters.stability))
    examples = read_examples(paths.evaluation / "examples")
    sentences = [spread_sentence(evidence, evaluation.task), *summary(evaluation, evidence)]
    with atomic_directory(paths.out) as folder:
        content = ReportContent(
            title=f"{evaluation.task.capitalize()} from radar: evaluation",
            simulated=simulated_notice(evaluation),
            spread=sentences[0],
            summary=sentences[1:],
            tables=result_tables(evaluation),
            differences=difference_rows(evaluation, evidence),
            galleries=[gallery(group, evaluation.task) for group in examples.groups],
            slices=slice_tables(evaluation),
            figures_about="Total loss of each run; the losses of different methods have different terms.",
            figures=_draw_curves(folder, paths.reports),
            definitions=definitions(evaluation),
            provenance=evaluation.provenance,
            links=LINKS,
        )
        write_report(folder, content, side_px=parameters.picture_px)
        _draw_overview(folder, examples.overview, evaluation)
    for sentence in sentences:
        LOG.info("%s", sentence)
    LOG.info("report: %s", paths.out / "index.html")


def _draw_curves(folder: Path, reports: Path) -> list[FigureFile]:
    """Draw the total loss of every training that left a curve."""
    figures: list[FigureFile] = []
    for training, curve in training_curves(reports):
        picture = f"curves/{len(figures) + 1}.png"
        width, height = draw_curve(folder / picture, curve, colour=LINES[len(figures) % len(LINES)])
        title = training_title(training)
        alt = f"Training loss against the step: {title}"
        figures.append(FigureFile(path=picture, alt=alt, width=width, height=height, caption=title))
    return figures


def _draw_overview(folder: Path, tile: ExampleTile | None, evaluation: Evaluation) -> None:
    """Draw the picture for the head of a README."""
    if tile is None:
        LOG.warning("no tile can be drawn: every test tile lacks %s or data", evaluation.task)
        return
    world = "Simulated rehearsal world" if evaluation.simulated else "SpaceNet 6"
    draw_overview(
        folder / "overview.png",
        overview(tile, evaluation.task),
        f"{world}, tile {tile.image_id}, the student's median on held-out ground. "
        "White: found. Orange: false alarm. Blue: missed.",
    )
