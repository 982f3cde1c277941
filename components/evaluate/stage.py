"""The stage: score every subject, write the tables, then the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from components.contract.errors import BadDataError, ResourceError
from components.evaluate.gallery import Illustrator
from components.evaluate.narrative import (
    definitions,
    difference_rows,
    result_tables,
    simulated_notice,
    slice_rows,
    summary,
)
from components.evaluate.parameters import EvaluateParameters
from components.evaluate.provenance import provenance
from components.evaluate.subjects import Cast, Subject, load_cast
from components.evaluate.summary import (
    Result,
    comparisons,
    condense,
    headline_split,
    metrics_document,
    slice_results,
)
from components.lib.config.scoring import ScoringSettings
from components.lib.files import atomic_directory, atomic_file, sha256_file, write_json
from components.lib.report.content import Figure, Report
from components.lib.report.figures import draw_curve, draw_overview
from components.lib.report.page import write_report
from components.lib.report.palette import LINES
from components.lib.scoring.score import Scores, score_model
from components.lib.store.store import Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where the stage reads and writes."""

    store: Path = Path("data/prepared")
    models: Path = Path("models")
    reports: Path = Path("reports")
    params: Path = Path("params.yaml")

    @property
    def out(self) -> Path:
        """The stage's own folder."""
        return self.reports / "evaluate"


def evaluate(parameters: EvaluateParameters, settings: ScoringSettings, paths: Paths) -> None:
    """Score all models on the test split and write tables, metrics and report.

    Raises:
        MissingInputError: If the store or a model is absent, naming the stage that makes it.
        BadDataError: If there is no test tile, or a model is broken.
        ResourceError: If a GPU is asked for and there is none.
    """
    device = choose_device(parameters.device)
    store = Store.open(paths.store)
    cast = load_cast(paths.models, store)
    scored = [(subject, _score(subject, store, settings, device)) for subject in cast.subjects]
    results = [result for subject, scores in scored for result in condense(subject, scores, parameters)]
    headline = [result for result in results if result.split == headline_split(results)]
    slices = slice_results(headline, parameters)
    simulated = simulated_notice([s for s in (cast.source, cast.target) if s])
    differences = comparisons(headline, cast, parameters)

    illustrator = Illustrator(store, parameters, settings, device)
    with atomic_directory(paths.out / "report") as folder:
        report = Report(
            title="Buildings from radar: evaluation",
            simulated=simulated,
            summary=summary(results, cast, differences),
            tables=result_tables(results, cast),
            differences=difference_rows(differences),
            galleries=illustrator.galleries(headline, cast),
            slices=slice_rows(slices),
            figures_about="Total loss of each run; the losses of different methods have different terms.",
            figures=_curves(folder, paths.reports),
            definitions=definitions(parameters, settings, results),
            provenance=provenance(paths.store, _weights(paths.models), params=paths.params),
        )
        write_report(folder, report)
        _overview(folder, illustrator, headline, cast, simulated=bool(simulated))
    _write_tables(paths.out, scored, pd.DataFrame([part.as_row() for part in slices]))
    write_json(paths.out / "metrics.json", metrics_document(results, differences, simulated=bool(simulated)))
    for sentence in report.summary:
        LOG.info("%s", sentence)
    LOG.info("report: %s", paths.out / "report" / "index.html")


def choose_device(name: str) -> str:
    """``cpu`` or ``cuda``.

    Raises:
        ResourceError: If a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ResourceError(
            "evaluate.device is cuda, but this machine has no usable GPU",
            next_step="set evaluate.device to auto or cpu in params.yaml, or run on a machine with a GPU",
        )
    return "cuda" if available and name != "cpu" else "cpu"


def _score(subject: Subject, store: Store, settings: ScoringSettings, device: str) -> Scores:
    rows = store.rows(subject.sensor, "test")
    if not len(rows):
        raise BadDataError(
            f"sensor {subject.sensor} has no test tile",
            next_step="prepare more tiles (world.tiles) or move prepare.split in params.yaml",
        )
    LOG.info("%s on %d tiles of %s", subject.model, len(rows), subject.sensor)
    return score_model(
        subject.net,
        store,
        sensor=subject.sensor,
        rows=rows,
        settings=settings,
        device=device,
        statistics_of=subject.statistics_of,
    )


def _write_tables(out: Path, scored: Sequence[tuple[Subject, Scores]], slices: pd.DataFrame) -> None:
    for name in ("tiles", "objects"):
        parts = [getattr(scores, name).assign(model=subject.model) for subject, scores in scored]
        # An empty part has no types to agree on.
        table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        with atomic_file(out / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
    with atomic_file(out / "slices.csv") as temporary:
        slices.round(5).to_csv(temporary, index=False)


def _curves(folder: Path, reports: Path) -> list[Figure]:
    """The training curve of every run that left one."""
    stages = ("optical", "distill", "adapt")  # in the order they are trained
    paths = [path for stage in stages for path in sorted((reports / stage).rglob("curve.csv"))]
    figures: list[Figure] = []
    for path in paths:
        curve = pd.read_csv(path)
        if not {"step", "loss"} <= set(curve.columns) or curve.empty:
            continue
        name = path.parent.relative_to(reports).as_posix()
        picture = f"curves/{len(figures) + 1}.png"
        width, height = draw_curve(folder / picture, curve, colour=LINES[len(figures) % len(LINES)])
        alt = f"Training loss of {name} against the step"
        figures.append(Figure(path=picture, alt=alt, width=width, height=height, caption=name))
    return figures


def _overview(
    folder: Path, illustrator: Illustrator, headline: Sequence[Result], cast: Cast, *, simulated: bool
) -> None:
    panels, image_id = illustrator.overview(headline, cast)
    if not panels:
        LOG.warning("no tile can be drawn: every test tile lacks buildings or data")
        return
    world = "Simulated rehearsal world" if simulated else "SpaceNet 6"
    draw_overview(
        folder / "overview.png",
        panels,
        f"{world}, tile {image_id}, the student's median on held-out ground. "
        "White: found. Orange: false alarm. Blue: missed.",
    )


def _weights(models: Path) -> dict[str, str]:
    return {
        path.parent.relative_to(models).as_posix(): sha256_file(path)
        for path in sorted(models.rglob("weights.safetensors"))
    }
