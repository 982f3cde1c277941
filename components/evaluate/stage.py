"""The stage: score every model on the test split, write the tables and what a report needs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.contract.errors import BadDataError
from components.evaluate.examples import ExampleMaker
from components.evaluate.models import EvaluatedModel, EvaluatedModels, load_models
from components.evaluate.parameters import EvaluateParameters
from components.evaluate.provenance import provenance
from components.evaluate.results import (
    SplitScores,
    details_document,
    headline_numbers,
    model_result,
    paired_differences,
    slice_bounds,
    slice_results,
    slice_row,
    split_scores,
)
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.sensors import known_sensors
from components.lib.disk import require_writable
from components.lib.evaluation.examples import write_examples
from components.lib.evaluation.results import (
    Evaluation,
    EvaluationSettings,
    headline_split,
    write_evaluation,
)
from components.lib.files import atomic_file, write_json
from components.lib.inference.device import choose_device
from components.lib.scoring.score import Scores, score_model
from components.lib.store.store import Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatePaths:
    """Files and folders of the stage."""

    store: Path = Path("data/prepared")
    models: Path = Path("models")
    out: Path = Path("reports/evaluate")
    params: Path = Path("params.yaml")


def evaluate(parameters: EvaluateParameters, settings: ScoringSettings, paths: EvaluatePaths) -> Evaluation:
    """Score all models on the test split; write tables, metrics, results and example tiles.

    Raises:
        MissingInputError: If the store or a model is absent, naming the stage that makes it.
        BadDataError: If there is no test tile, or a model is broken.
        ResourceError: If a GPU is asked for and there is none, or the results cannot be written.
    """
    device = choose_device(parameters.device, "evaluate.device")
    require_writable(paths.out)
    store = Store.open(paths.store)
    models = load_models(paths.models, store)
    scored = [(model, _score(model, store, settings, device)) for model in models.models]
    parts = [part for model, scores in scored for part in split_scores(model, scores)]
    split = headline_split([part.split for part in parts])
    headline = [part for part in parts if part.split == split]
    evaluation = _condense(parts, headline, models, parameters=parameters, settings=settings, paths=paths)
    write_examples(
        paths.out / "examples", ExampleMaker(store, parameters, settings, device).make(headline, models)
    )
    _write_tables(paths.out, scored)
    slices = pd.DataFrame([slice_row(result) for result in evaluation.slices])
    with atomic_file(paths.out / "slices.csv") as temporary:
        slices.round(5).to_csv(temporary, index=False)
    write_evaluation(paths.out / "results.json", evaluation)
    write_json(paths.out / "metrics.json", headline_numbers(evaluation))
    write_json(paths.out / "details.json", details_document(evaluation))
    return evaluation


def _score(model: EvaluatedModel, store: Store, settings: ScoringSettings, device: str) -> Scores:
    rows = store.rows(model.sensor, "test")
    if not len(rows):
        raise BadDataError(
            f"sensor {model.sensor} has no test tile",
            next_step="prepare more tiles (world.tiles) or move prepare.split in params.yaml",
        )
    graphs = None
    if store.task == "roads":
        from components.lib.scoring.graphs import RoadGraphs  # noqa: PLC0415 - buildings trace no graph

        graphs = RoadGraphs(store, model.sensor).score
    LOG.info("%s on %d tiles of %s", model.model, len(rows), model.sensor)
    return score_model(
        model.net,
        store,
        sensor=model.sensor,
        rows=rows,
        settings=settings,
        device=device,
        statistics_of=model.statistics_of,
        graphs=graphs,
    )


def _condense(
    parts: Sequence[SplitScores],
    headline: Sequence[SplitScores],
    models: EvaluatedModels,
    *,
    parameters: EvaluateParameters,
    settings: ScoringSettings,
    paths: EvaluatePaths,
) -> Evaluation:
    known = known_sensors()
    sensors = [sensor for sensor in (models.source, models.target) if sensor]
    return Evaluation(
        source=models.source,
        target=models.target,
        student=models.student,
        simulated=tuple(name for name in sensors if name in known and known[name].simulated),
        headline=headline[0].split,
        results=tuple(model_result(part, parameters, settings) for part in parts),
        differences=tuple(paired_differences(headline, models, parameters)),
        slices=tuple(slice_results(headline, parameters)),
        slice_bounds=slice_bounds(),
        settings=EvaluationSettings(
            threshold=settings.threshold,
            min_area_px=settings.min_area_px,
            iou=settings.iou,
            seed_threshold=settings.seed_threshold,
            min_seed_px=settings.min_seed_px,
            scales=settings.scales,
            flip=settings.flip,
            turn=settings.turn,
            block_m=settings.block_m,
            confidence=parameters.confidence,
        ),
        provenance=tuple(provenance(paths.store, paths.models, params=paths.params)),
        task=models.task,
    )


def _write_tables(out: Path, scored: Sequence[tuple[EvaluatedModel, Scores]]) -> None:
    """Write ``tiles.parquet`` and ``objects.parquet``: all models' tables, told apart by the column model."""
    for name in ("tiles", "objects"):
        parts = [getattr(scores, name).assign(model=model.model) for model, scores in scored]
        # An empty part has no types to agree on.
        table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        with atomic_file(out / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
