"""Sentences, tables and definitions of the report, made from the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.lib.evaluation.names import CONTROL_TITLE, model_title
from components.lib.evaluation.results import (
    CLEAN,
    CONTROL,
    KANG,
    Evaluation,
    EvaluationSettings,
    Metric,
    ModelResult,
)
from components.lib.evaluation.stability import Evidence
from components.lib.metrics.intervals import MIN_BLOCKS, Interval
from components.lib.report.content import DifferenceRow, ResultRow, ResultTable
from components.lib.report.page import signed
from components.lib.tasks.names import OBJECT_TASKS, ROAD_TOLERANCE_M, TaskName

TITLES = {CLEAN: "Held-out ground that no training tile saw", KANG: "All test tiles"}
NOTES = {
    CLEAN: "The headline (sn6-clean): test tiles that share no ground with any training tile.",
    KANG: "For comparison with published work (sn6-kang): the published training tiles share part of it.",
}
METRIC_TITLES = {"iou": "Pixel IoU", "f1": "SpaceNet F1"}

TARGETS: Mapping[TaskName, str] = {"buildings": "building", "roads": "road"}
"""Word for a pixel of the target, by task."""

ROAD_SCORES = (
    (
        "Relaxed P, R, F1, IoU",
        f"Share of the predicted road pixels within {ROAD_TOLERANCE_M:g} m of a true one, share of the true "
        "ones within that distance of a predicted one, their harmonic mean, and the IoU of both masks "
        "widened by it.",
    ),
    (
        "APLS",
        "Average path length similarity of the road graph traced from each tile's mask, in the definition of "
        "SpaceNet 3's Java scorer, mean over tiles: the harmonic mean of the paths of the truth looked for "
        "in the prediction (T onto P) and those of the prediction looked for in the truth (P onto T). A tile "
        "without a true road counts 1 where none is predicted, else 0; one whose roads are all missed counts "
        "0. Its interval counts each tile in the ground block that holds most of it.",
    ),
)
OBJECT_PRECISION = (
    (
        "AP@0.5",
        "Area under precision over recall of the same matches; a polygon's confidence is the mean "
        "building probability of the class map inside it.",
    ),
)
BUILDING_SIZE = (
    (
        "Building size",
        "A match or a miss belongs to the size of the true building, a false alarm to its own size; the "
        "counts of all sizes add up to the total.",
    ),
)


def simulated_notice(evaluation: Evaluation) -> str:
    """Return the banner's sentence, or "" where no sensor is simulated."""
    if not evaluation.simulated:
        return ""
    return (
        f"Every number and picture of {' and '.join(evaluation.simulated)} comes from the rehearsal world, a "
        "procedural city. None of it says how well a model does on SpaceNet 6."
    )


def evidence_on(task: TaskName, evidence: Evidence) -> Evidence:
    """Return what the evidence says of a task: it is of buildings, and says nothing of others."""
    return evidence if task == "buildings" else Evidence(stability=None, differences={})


def spread_sentence(evidence: Evidence, task: TaskName = "buildings") -> str:
    """Return how far equal trainings lie apart, and the least difference that is called one."""
    measured = evidence.stability
    if measured is None:
        remedy = " ('make stability' measures it)" if task == "buildings" else ""
        return (
            f"The spread between repeated trainings is not known{remedy}, so no difference between models "
            "below can be called one."
        )
    return (
        f"Trainings that should be equal differ by a standard deviation of {measured.spread:.3f} in pixel "
        f"IoU (control {measured.control_spread_iou:.3f}, student {measured.student_spread_iou:.3f}, between "
        f"numbers of threads {measured.threads_spread_iou:.3f}; {measured.draws} draws of rounding noise). A "
        f"difference below {measured.least_difference:.3f}, two standard deviations of a difference, is not "
        "called one."
    )


def summary(evaluation: Evaluation, evidence: Evidence) -> list[str]:
    """Return the outcome in a few sentences; differences are read against the spread of trainings."""
    least = least_difference(evidence, "iou")
    sentences = [
        _student_sentence(evaluation),
        _gain_sentence(evaluation, least),
        _adaptation_sentence(evaluation, least),
        *contradictions(evaluation, evidence),
    ]
    if evaluation.headline == KANG:
        sentences.append("No test tile is free of training ground, so the headline is on all test tiles.")
    return [sentence for sentence in sentences if sentence]


def least_difference(evidence: Evidence, metric: Metric) -> float | None:
    """Return the difference that two trainings of one recipe do not reach; measured for the IoU alone."""
    if evidence.stability is None or metric != "iou":
        return None
    return evidence.stability.least_difference


def contradictions(evaluation: Evaluation, evidence: Evidence) -> list[str]:
    """Return a sentence for each method whose gain over the control has another sign in the evidence.

    Only where the two differ by more than the spread of repeated trainings explains.
    """
    least = least_difference(evidence, "iou")
    if least is None:
        return []
    sentences = []
    for difference in evaluation.differences:
        shown = evidence.differences.get((difference.model, difference.sensor))
        if (difference.baseline, difference.metric) != (CONTROL, "iou") or shown is None:
            continue
        here = difference.interval.value
        if here * shown < 0 and abs(here - shown) >= least:
            sentences.append(
                f"This run contradicts docs/evidence.md: {difference.model} minus the control is "
                f"{signed(here)} here and {signed(shown)} there, further apart than repeated trainings are."
            )
    return sentences


def _find(evaluation: Evaluation, model: str, sensor: str | None) -> ModelResult | None:
    """Return a result on the headline split."""
    return next((r for r in evaluation.on(evaluation.headline) if r.key == (model, sensor)), None)


def _student_sentence(evaluation: Evaluation) -> str:
    student = _find(evaluation, evaluation.student, evaluation.source)
    if student is None:
        return ""
    labels = {
        "teacher": "the optical teacher reaches a pixel IoU of",
        CONTROL: f"the {CONTROL_TITLE}",
        evaluation.student: f"the distilled student ({evaluation.student})",
    }
    if evaluation.student == CONTROL:
        del labels[CONTROL]
    found = {name: _find(evaluation, name, evaluation.source) for name in labels}
    parts = [f"{labels[name]} {result.iou.value:.3f}" for name, result in found.items() if result is not None]
    blocks = student.iou.locations
    ground = f"{blocks} ground blocks" if blocks > 1 else "one ground block"
    return f"On {student.tiles} held-out tiles in {ground} {', '.join(parts)}."


def _gain_sentence(evaluation: Evaluation, least: float | None) -> str:
    gain = evaluation.difference(evaluation.student, CONTROL, evaluation.source, "iou")
    if gain is None:
        return ""
    change = describe_difference(gain.interval, least)
    return f"Distillation changes the pixel IoU by {change} against the control."


def _adaptation_sentence(evaluation: Evaluation, least: float | None) -> str:
    target = evaluation.target
    before, after = _find(evaluation, "unadapted", target), _find(evaluation, "adapted", target)
    if before is None or after is None:
        return ""
    change = evaluation.difference("adapted", "unadapted", target, "iou")
    return (
        f"On {target}, a sensor without labels, adaptation takes the student from "
        f"{before.iou.value:.3f} to {after.iou.value:.3f}"
        + (f", a change of {describe_difference(change.interval, least)}." if change is not None else ".")
    )


def describe_difference(difference: Interval, least: float | None) -> str:
    """Return a paired difference in words, with its interval.

    Args:
        difference: Value and interval over ground blocks.
        least: Difference that two trainings of one recipe do not reach; None where it is not known.
    """
    if least is None:
        reading = ", spread of repeated trainings not known"
    elif abs(difference.value) < least:
        reading = ", within the spread of repeated trainings"
    else:
        clear = difference.degenerate or difference.low > 0 or difference.high < 0
        reading = "" if clear else ", not distinguishable"
    if difference.degenerate:
        return f"{signed(difference.value)} (too few ground blocks, no interval{reading})"
    ends = f"{signed(difference.low)} to {signed(difference.high)}"
    return f"{signed(difference.value)} ({difference.confidence:.0%} interval {ends}{reading})"


def result_tables(evaluation: Evaluation) -> list[ResultTable]:
    """Return the headline table first, then that of the other split."""
    order = [evaluation.headline, *({CLEAN, KANG} - {evaluation.headline})]
    return [
        ResultTable(title=TITLES[split], about=NOTES[split], rows=[_row(r, evaluation) for r in part])
        for split in order
        if (part := evaluation.on(split))
    ]


def _row(result: ModelResult, evaluation: Evaluation) -> ResultRow:
    compared = {(evaluation.student, evaluation.source), ("adapted", evaluation.target)}
    return ResultRow(
        model=model_title(result.model),
        description=result.description,
        sensor=result.sensor,
        iou=result.iou,
        f1=result.f1,
        apls=None if result.graph is None else result.graph.apls,
        values={
            **_object_values(result),
            "Pixel P": result.px_precision,
            "Pixel R": result.px_recall,
            "IoU at 0.5": result.iou_half,
            "PR-AUC": result.px_ap,
        },
        further={
            **_relaxed_values(result),
            **_direction_values(result),
            "Threshold": result.threshold,
            "Pixel F1": result.px_f1,
            "OA": result.accuracy,
            "Kappa": result.kappa,
            "Dice": result.dice,
        },
        emphasis=result.key in compared,
    )


def _object_values(result: ModelResult) -> dict[str, float]:
    """Return the scores of the polygons; none of a task without objects."""
    found = {"Precision": result.precision, "Recall": result.recall, "AP@0.5": result.ap50}
    return {name: value for name, value in found.items() if value is not None}


def _relaxed_values(result: ModelResult) -> dict[str, float]:
    """Return the scores within a tolerance; none of a task without them."""
    if result.relaxed is None:
        return {}
    titles = {"precision": "Relaxed P", "recall": "Relaxed R", "f1": "Relaxed F1", "iou": "Relaxed IoU"}
    return {title: result.relaxed[name] or 0.0 for name, title in titles.items()}


def _direction_values(result: ModelResult) -> dict[str, float]:
    """Return the directions of APLS; none of a task without road graphs."""
    graph = result.graph
    if graph is None:
        return {}
    return {"APLS T onto P": graph.truth_onto_proposal, "APLS P onto T": graph.proposal_onto_truth}


def difference_rows(evaluation: Evaluation, evidence: Evidence) -> list[DifferenceRow]:
    """Return the paired differences as the report shows them."""
    return [
        DifferenceRow(
            label=f"{model_title(difference.model)} \N{MINUS SIGN} {model_title(difference.baseline)}",
            sensor=difference.sensor,
            metric=METRIC_TITLES[difference.metric],
            interval=difference.interval,
            least=least_difference(evidence, difference.metric),
        )
        for difference in evaluation.differences
    ]


def definitions(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the terms of the tables, and how the results came about."""
    settings, thing = evaluation.settings, TARGETS[evaluation.task]
    objects = evaluation.task in OBJECT_TASKS
    return [
        *_pixel_definitions(settings, thing),
        *(_object_definitions(settings, evaluation.results) if objects else ROAD_SCORES),
        ("Views", describe_views(settings)),
        *(OBJECT_PRECISION if objects else ()),
        (
            "Dice",
            "Mean over tiles of the hard Dice with one added above and below, only to compare with logs of "
            "published code: an empty tile left empty scores 1.",
        ),
        (
            "Intervals",
            f"{settings.confidence:.0%}, by Student's quantiles over ground blocks of {settings.block_m:g} m "
            f"and not over tiles, which overlap. A pixel{' or building' if objects else ''} counts in the "
            f"block that it lies in. Below {MIN_BLOCKS} blocks an interval is unknown.",
        ),
        *(BUILDING_SIZE if objects else ()),
    ]


def _pixel_definitions(settings: EvaluationSettings, thing: str) -> list[tuple[str, str]]:
    ignored = "" if thing == TARGETS["buildings"] else ", and those that the labels ignore,"
    return [
        (
            "Pixel IoU, P, R, F1",
            f"Of the {thing} class, from counts summed over all tiles; {thing} is a probability above "
            f"{describe_threshold(settings)}. Pixels without data{ignored} are not counted.",
        ),
        (
            "PR-AUC, OA, Kappa",
            f"Average precision of the {thing} probability over all thresholds; share of pixels that are "
            "right (overall accuracy); Cohen's kappa, the part of the agreement that chance does not "
            "explain.",
        ),
    ]


def _object_definitions(
    settings: EvaluationSettings, results: Sequence[ModelResult]
) -> list[tuple[str, str]]:
    return [
        (
            "SpaceNet F1, Precision, Recall",
            f"Of polygons: proposals over {settings.min_area_px} px against truth of at least that, one to "
            f"one by confidence where their IoU exceeds {settings.iou}, summed over all tiles.",
        ),
        ("Polygons", describe_polygons(settings, results)),
    ]


def describe_threshold(settings: EvaluationSettings) -> str:
    """Return where the threshold of the building probability comes from."""
    if settings.threshold == "model":
        return "the model's own threshold, chosen on the selection slice after training"
    return f"{settings.threshold:g}"


def describe_polygons(settings: EvaluationSettings, results: Sequence[ModelResult]) -> str:
    """Return how polygons were drawn, and for which models."""
    drawn: dict[str, list[str]] = {}
    for model, vectoriser in {r.model: r.vectoriser for r in results}.items():
        drawn.setdefault(vectoriser, []).append(model_title(model))
    watershed = (
        "By watershed from the contour head's footprint, edge and contact maps: touching buildings are taken "
        f"apart from seeds above {settings.seed_threshold} of at least {settings.min_seed_px} px"
    )
    plain = "Around the connected parts of the class map, so that touching buildings are one"
    if len(drawn) < 2:
        return f"{watershed if 'watershed' in drawn else plain}. All models alike."
    return (
        f"{watershed} ({', '.join(drawn['watershed'])}). {plain}, where a network has no contour head "
        f"({', '.join(drawn['plain'])})."
    )


def describe_views(settings: EvaluationSettings) -> str:
    """Return which views of a tile were averaged."""
    scales = ", ".join(f"{scale:g}" for scale in settings.scales)
    if settings.scales == (1.0,):
        seen = "as it is and in the left-right mirror" if settings.flip else "once, as it is"
    else:
        seen = f"at scales {scales}" + (", each in the left-right mirror too" if settings.flip else "")
    averaged = "; the probabilities are averaged" if settings.flip or len(settings.scales) > 1 else ""
    turned = "; optical models also in all four quarter turns" if settings.turn else ""
    return f"Every model sees every tile {seen}{averaged}{turned}."
