"""Sentences of the report about how the results came about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.evaluate.models import EvaluatedModel
from components.evaluate.results import details_document, model_result, split_scores
from components.lib.config.scoring import ScoringSettings
from components.lib.evaluation.results import (
    Evaluation,
    EvaluationSettings,
    GraphResult,
    ModelResult,
    PairedDifference,
    read_evaluation,
)
from components.lib.evaluation.stability import Evidence, Stability
from components.lib.metrics.intervals import Interval
from components.lib.scoring.score import score_model
from components.lib.store.store import Store
from components.report.text import (
    contradictions,
    definitions,
    describe_polygons,
    describe_views,
    difference_rows,
    evidence_on,
    result_tables,
    spread_sentence,
    summary,
)
from tests.evaluate.finished import PARAMETERS, Finished
from tests.evaluate.worlds import AIRBORNE, Contoured, Pointwise, touching_boxes, write_tiny_store
from tests.lib.evaluation.test_evaluation_results import EVALUATION

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
    turn=False,
    block_m=600.0,
    confidence=0.9,
)
MEASURED = Evidence(
    Stability(control_spread_iou=0.004, student_spread_iou=0.005, threads_spread_iou=0.003, draws=5), {}
)
UNKNOWN = Evidence(None, {})


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
        made += [model_result(part, PARAMETERS, settings) for part in split_scores(model, scores)]
    return made


def test_it_says_how_polygons_were_drawn(tmp_path: Path, evaluation: Evaluation) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=8, boxes_of=touching_boxes)
    mixed = results(store, WATERSHED, Contoured(), Pointwise())
    text = describe_polygons(SETTINGS, mixed)
    assert "seeds above 0.75 of at least 110 px (m0)" in text
    assert "no contour head (m1)" in text
    assert dict(definitions(replace(evaluation, results=tuple(mixed))))["Polygons"] == text
    document = details_document(replace(evaluation, results=tuple(mixed)))["models"]
    assert document["m0"][AIRBORNE]["sn6-clean"]["vectorise"] == "watershed"
    assert document["m1"][AIRBORNE]["sn6-clean"]["vectorise"] == "plain"
    assert "All models alike" in describe_polygons(SETTINGS, mixed[:2])
    assert describe_polygons(SETTINGS, results(store, PLAIN, Contoured())).startswith("Around")


def test_apls_stands_in_the_table_of_roads_and_nowhere_else() -> None:
    apls = EVALUATION.results[0].iou
    graph = GraphResult(apls=apls, truth_onto_proposal=0.4, proposal_onto_truth=0.7, without_roads=2)
    of_roads = replace(EVALUATION, task="roads", results=(replace(EVALUATION.results[0], graph=graph),))
    [[row], [other]] = [result_tables(evaluation)[0].rows for evaluation in (of_roads, EVALUATION)]
    assert (row.apls, other.apls) == (apls, None)
    assert (row.further["APLS T onto P"], row.further["APLS P onto T"]) == (0.4, 0.7)
    assert not [name for name in (*other.values, *other.further) if "APLS" in name]
    assert "APLS" in dict(definitions(of_roads))
    assert "APLS" not in dict(definitions(EVALUATION))


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
    turned = describe_views(replace(SETTINGS, turn=True))
    assert (
        turned == "Every model sees every tile once, as it is; optical models also in all four quarter turns."
    )


def test_without_clean_tiles_the_summary_says_so(evaluation: Evaluation) -> None:
    warning = "No test tile is free of training ground"
    assert warning in " ".join(summary(replace(evaluation, headline="sn6-kang"), MEASURED))
    assert warning not in " ".join(summary(evaluation, MEASURED))


def test_the_summary_holds_the_headline_numbers(evaluation: Evaluation) -> None:
    text = " ".join(summary(evaluation, MEASURED))
    for result in evaluation.on(evaluation.headline):
        if result.model in {"teacher", "none", "disoptnet"}:
            assert f"{result.iou.value:.3f}" in text
    assert "the distilled student (disoptnet)" in text
    assert "Distillation changes the pixel IoU by" in text
    assert f"On {evaluation.target}, a sensor without labels" in text
    alone = summary(replace(evaluation, student="none", differences=()), MEASURED)
    assert "the SAR-only control" not in alone[0]
    assert not any("Distillation changes" in sentence for sentence in alone)


def with_gain(evaluation: Evaluation, value: float) -> Evaluation:
    """The student's gain over the control in pixel IoU, on every draw."""
    interval = Interval(value, value - 0.001, value + 0.001, value - 0.001, 0.9, 7, False)
    gain = PairedDifference(
        model="disoptnet", baseline="none", sensor=evaluation.source, metric="iou", interval=interval
    )
    return replace(evaluation, differences=(gain, replace(gain, metric="f1")))


def test_the_report_opens_with_the_spread_of_trainings() -> None:
    assert "no difference between models below can be called one" in spread_sentence(UNKNOWN)
    assert evidence_on("roads", MEASURED) == Evidence(stability=None, differences={})
    assert evidence_on("buildings", MEASURED) is MEASURED
    sentence = spread_sentence(MEASURED)
    assert "standard deviation of 0.005" in sentence
    assert "below 0.014" in sentence, "2 * sqrt(2) * 0.005"


@pytest.mark.parametrize(
    ("value", "words", "verdict"),
    [
        (0.013, "within the spread of repeated trainings", "within the spread of repeated trainings"),
        (-0.013, "within the spread of repeated trainings", "within the spread of repeated trainings"),
        (0.02, "interval 0.019 to 0.021)", "better"),
        (-0.02, "0.019)", "worse"),
    ],
)
def test_no_smaller_difference_is_called_one(
    evaluation: Evaluation, value: float, words: str, verdict: str
) -> None:
    gained = with_gain(evaluation, value)
    sentence = next(s for s in summary(gained, MEASURED) if s.startswith("Distillation changes"))
    assert words in sentence.replace("+", "")
    iou, f1 = difference_rows(gained, MEASURED)
    assert (iou.verdict, f1.verdict) == (verdict, "spread of repeated trainings not known")
    assert {row.verdict for row in difference_rows(gained, UNKNOWN)} == {f1.verdict}


@pytest.mark.parametrize(("here", "contradicted"), [(-0.032, True), (0.02, False), (0.0, False)])
def test_a_run_that_contradicts_the_evidence_says_so(
    evaluation: Evaluation, here: float, contradicted: bool
) -> None:
    evidence = replace(MEASURED, differences={("disoptnet", evaluation.source): 0.077})
    found = contradictions(with_gain(evaluation, here), evidence)
    assert bool(found) is contradicted
    if contradicted:
        assert "disoptnet minus the control is \N{MINUS SIGN}0.032 here and +0.077 there" in found[0]
        assert found[0] in summary(with_gain(evaluation, here), evidence)
    assert contradictions(with_gain(evaluation, here), replace(evidence, stability=None)) == []


def test_a_small_change_of_sign_is_no_contradiction(evaluation: Evaluation) -> None:
    evidence = replace(MEASURED, differences={("disoptnet", evaluation.source): 0.005})
    assert contradictions(with_gain(evaluation, -0.005), evidence) == []
