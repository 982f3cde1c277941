"""Sentences of the report about how the results came about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.evaluate.models import EvaluatedModel
from components.evaluate.results import metrics_document, model_result, split_scores
from components.lib.config.scoring import ScoringSettings
from components.lib.evaluation.results import (
    Evaluation,
    EvaluationSettings,
    ModelResult,
    read_evaluation,
)
from components.lib.scoring.score import score_model
from components.lib.store.store import Store
from components.report.text import definitions, describe_polygons, describe_views, summary
from tests.evaluate.finished import PARAMETERS, Finished
from tests.evaluate.worlds import AIRBORNE, Contoured, Pointwise, touching_boxes, write_tiny_store

PLAIN = ScoringSettings()
WATERSHED = ScoringSettings(vectorise="watershed")
SETTINGS = EvaluationSettings(
    threshold=0.5,
    min_area_px=80,
    iou=0.5,
    seed_threshold=0.75,
    min_seed_px=110,
    scales=(1.0,),
    flip=False,
    confidence=0.9,
)


@pytest.fixture
def evaluation(finished: Finished) -> Evaluation:
    return read_evaluation(finished.out / "results.json")


def results(store: Store, settings: ScoringSettings, *nets: Pointwise) -> list[ModelResult]:
    made = []
    for number, net in enumerate(nets):
        scores = score_model(net, store, sensor=AIRBORNE, rows=[0, 1], settings=settings)
        model = EvaluatedModel(
            model=f"m{number}",
            role="student",
            description="",
            net=net,
            sensor=AIRBORNE,
            statistics_of=AIRBORNE,
        )
        made += [model_result(part, PARAMETERS) for part in split_scores(model, scores)]
    return made


def test_it_says_how_polygons_were_drawn(tmp_path: Path, evaluation: Evaluation) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=8, boxes_of=touching_boxes)
    mixed = results(store, WATERSHED, Contoured(), Pointwise())
    text = describe_polygons(SETTINGS, mixed)
    assert "seeds above 0.75 of at least 110 px (m0)" in text
    assert "no contour head (m1)" in text
    assert dict(definitions(replace(evaluation, results=tuple(mixed))))["Polygons"] == text
    document = metrics_document(replace(evaluation, results=tuple(mixed)))["models"]
    assert document["m0"][AIRBORNE]["sn6-clean"]["vectorise"] == "watershed"
    assert document["m1"][AIRBORNE]["sn6-clean"]["vectorise"] == "plain"
    assert "All models alike" in describe_polygons(SETTINGS, mixed[:2])
    assert describe_polygons(SETTINGS, results(store, PLAIN, Contoured())).startswith("Around")


def test_it_says_which_views_were_averaged(evaluation: Evaluation) -> None:
    def views(scales: tuple[float, ...], flip: bool) -> str:
        settings = replace(SETTINGS, scales=scales, flip=flip)
        text = describe_views(settings)
        assert dict(definitions(replace(evaluation, settings=settings)))["Views"] == text
        return text

    assert views((1.0,), False) == "Every model sees every tile once, as it is."
    assert "as it is and in the left-right mirror; the probabilities are averaged" in views((1.0,), True)
    assert "at scales 0.8, 1, 1.5, each in the left-right mirror too;" in views((0.8, 1.0, 1.5), True)
    assert "at scales 0.8;" not in views((0.8,), False)
    assert "at scales 0.8." in views((0.8,), False)


def test_without_clean_tiles_the_summary_says_so(evaluation: Evaluation) -> None:
    warning = "No test tile is free of training ground"
    assert warning in " ".join(summary(replace(evaluation, headline="sn6-kang")))
    assert warning not in " ".join(summary(evaluation))


def test_the_summary_holds_the_headline_numbers(evaluation: Evaluation) -> None:
    text = " ".join(summary(evaluation))
    for result in evaluation.on(evaluation.headline):
        if result.model in {"teacher", "none", "disoptnet"}:
            assert f"{result.iou.value:.3f}" in text
    assert "the distilled student (disoptnet)" in text
    assert "Distillation changes the pixel IoU by" in text
    assert f"On {evaluation.target}, a sensor without labels" in text
    alone = summary(replace(evaluation, student="none", differences=()))
    assert "the SAR-only control" not in alone[0]
    assert not any("Distillation changes" in sentence for sentence in alone)
