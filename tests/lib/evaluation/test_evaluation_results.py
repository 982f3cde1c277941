from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError
from components.lib.evaluation.results import (
    CLEAN,
    KANG,
    Evaluation,
    EvaluationSettings,
    GraphResult,
    ModelResult,
    PairedDifference,
    SliceResult,
    headline_split,
    read_evaluation,
    write_evaluation,
)
from components.lib.metrics.intervals import Interval

INTERVAL = Interval(1 / 3, 0.1, 0.7000000000000001, 0.15, 0.95, 7, False)
EVALUATION = Evaluation(
    source="a",
    target=None,
    student="concord",
    simulated=(),
    headline=CLEAN,
    results=(
        ModelResult(
            model="concord",
            role="student",
            description="taught",
            sensor="a",
            split=CLEAN,
            vectoriser="watershed",
            tiles=3,
            locations=7,
            threshold=0.375,
            iou=INTERVAL,
            iou_half=0.25,
            f1=INTERVAL,
            precision=0.1,
            recall=0.2,
            ap50=0.3,
            px_precision=0.4,
            px_recall=0.5,
            px_f1=0.6,
            px_ap=0.65,
            accuracy=0.9,
            kappa=0.55,
            dice=2 / 3,
        ),
    ),
    differences=(
        PairedDifference(model="concord", baseline="none", sensor="a", metric="iou", interval=INTERVAL),
    ),
    slices=(
        SliceResult(
            model="concord",
            sensor="a",
            split=CLEAN,
            dimension="building_size",
            name="small",
            tiles=3,
            buildings=4,
            iou=None,
            f1=INTERVAL,
            precision=0.1,
            recall=0.2,
        ),
    ),
    slice_bounds={"building_size": {"large": (1600.0, None)}},
    settings=EvaluationSettings(
        threshold="model",
        min_area_px=80,
        iou=0.5,
        seed_threshold=0.75,
        min_seed_px=110,
        scales=(1.0, 0.8),
        flip=True,
        turn=False,
        block_m=600.0,
        confidence=0.95,
    ),
    provenance=(("Code", "abc"), ("Aardvark", "last though first in the alphabet")),
)


def test_results_come_back_to_the_bit(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "results.json", EVALUATION)
    assert read_evaluation(tmp_path / "results.json") == EVALUATION
    apls = EVALUATION.results[0].iou
    graph = GraphResult(apls=apls, truth_onto_proposal=0.25, proposal_onto_truth=0.5, without_roads=1)
    of_roads = replace(EVALUATION, results=(replace(EVALUATION.results[0], graph=graph),))
    write_evaluation(tmp_path / "results.json", of_roads)
    assert read_evaluation(tmp_path / "results.json") == of_roads


def test_a_difference_is_found_by_its_models() -> None:
    assert EVALUATION.difference("concord", "none", "a", "iou") is EVALUATION.differences[0]
    assert EVALUATION.difference("concord", "none", "a", "f1") is None
    assert EVALUATION.difference("none", "concord", "a", "iou") is None


def test_the_headline_is_clean_only_if_every_model_is() -> None:
    assert headline_split([CLEAN, KANG, CLEAN, KANG]) == CLEAN
    assert headline_split([CLEAN, KANG, KANG]) == KANG


def test_absent_and_foreign_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(MissingInputError, match=r"results\.json"):
        read_evaluation(path)
    path.write_text('{"source": "a"}')
    with pytest.raises(BadDataError, match="does not fit this version of the code"):
        read_evaluation(path)
