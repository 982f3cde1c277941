from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from components.contract.errors import ParameterError
from components.lib.change.scoring.scores import ChangeRules, ChangeScores, score_pair
from components.lib.change.terms import CHANGED, UNKNOWN
from components.lib.metrics.counts import Counts

RULES = ChangeRules()


def pair(seed: int, *, scene: str | None = None) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8], str]:
    rng = np.random.default_rng(seed)
    label = (rng.random((16, 16)) < 0.4).astype(np.uint8)
    label[rng.random((16, 16)) < 0.1] = UNKNOWN
    return rng.random((16, 16)) < 0.4, label, scene or f"scene-{seed}"


def scores(number: int) -> ChangeScores:
    made = [pair(seed) for seed in range(number)]
    return ChangeScores(
        [score_pair(p, label, RULES, name=f"{k}", scene=s) for k, (p, label, s) in enumerate(made)], RULES
    )


def test_pixels_are_summed_over_all_pairs_without_the_unknown() -> None:
    predicted, labels = zip(*[pair(seed)[:2] for seed in range(3)], strict=True)
    p, t = np.concatenate(predicted), np.concatenate(labels)
    expected = Counts(
        int((p & (t == CHANGED)).sum()),
        int((p & (t == 0)).sum()),
        int((~p & (t == CHANGED)).sum()),
        int((~p & (t == 0)).sum()),
    )
    found = scores(3)
    assert found.pixels == expected
    document = found.as_dict()
    assert document["pixels"]["unknown"] == (t == UNKNOWN).sum()
    assert document["pixels"]["iou"] == pytest.approx(expected.f1 / (2 - expected.f1))
    assert all(type(value) is int for value in (found.pixels.tp, found.objects.fp, found.relaxed.truth))
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        (False, False, {"precision": None, "recall": None, "f1": None, "iou": None}),
        (False, True, {"precision": 0.0, "recall": None, "f1": 0.0, "iou": 0.0}),
        (True, False, {"precision": None, "recall": 0.0, "f1": 0.0, "iou": 0.0}),
        (True, True, {"precision": 1.0, "recall": 1.0, "f1": 1.0, "iou": 1.0}),
    ],
)
def test_without_truth_or_prediction_ratios_are_undefined(
    truth: bool, predicted: bool, expected: dict[str, float | None]
) -> None:
    label = np.full((8, 8), CHANGED if truth else 0, dtype=np.uint8)
    scored = score_pair(np.full((8, 8), predicted), label, RULES, name="a")
    document = ChangeScores([scored], RULES).as_dict()
    assert {name: document["pixels"][name] for name in expected} == expected
    assert {name: document["objects"][name] for name in ("precision", "recall", "f1")} == {
        name: expected[name] for name in ("precision", "recall", "f1")
    }


def test_a_pair_that_is_unknown_everywhere_counts_nothing() -> None:
    label = np.full((8, 8), UNKNOWN, dtype=np.uint8)
    document = ChangeScores([score_pair(np.ones((8, 8), bool), label, RULES, name="a")], RULES).as_dict()
    assert document["pixels"]["unknown"] == 64
    assert document["pixels"]["f1"] is None
    assert document["objects"]["fp"] == 0


def test_buildings_that_touch_are_two_where_they_are_known() -> None:
    label = np.zeros((10, 20), dtype=np.uint8)
    label[2:8, 2:14] = CHANGED
    buildings = np.zeros((10, 20), dtype=np.int32)
    buildings[2:8, 2:8], buildings[2:8, 8:14] = 1, 2
    predicted = label == CHANGED
    assert score_pair(predicted, label, RULES, name="a").objects == Counts(1, 0, 0)
    assert score_pair(predicted, label, RULES, name="a", buildings=buildings).objects == Counts(1, 0, 1)


def test_intervals_are_over_scenes_and_unknown_below_fifteen() -> None:
    few, many = scores(14).as_dict(), scores(15)
    assert few["intervals"] == {"pixel_f1": None, "pixel_iou": None, "object_f1": None}
    found = many.intervals()["pixel_f1"]
    assert found.low < many.pixels.f1 < found.high
    assert found.locations == 15
    # Independent scenes of equal size: the jackknife's variance with almost as many degrees of freedom.
    assert found.freedom == pytest.approx(14, abs=0.5)


def test_pairs_of_one_scene_are_one_unit() -> None:
    made = [pair(seed, scene=f"{seed % 5}") for seed in range(20)]
    found = ChangeScores(
        [score_pair(p, label, RULES, name=f"{k}", scene=s) for k, (p, label, s) in enumerate(made)], RULES
    )
    assert found.scenes == 5
    assert found.intervals()["pixel_f1"].degenerate


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="the prediction is"):
        score_pair(np.ones((4, 4), bool), np.ones((4, 5), np.uint8), RULES, name="a")


@pytest.mark.parametrize("values", [{"iou": 0.0}, {"iou": 1.1}, {"min_area_px": 0}, {"tolerance_px": -1.0}])
def test_rules_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="the IoU must lie"):
        ChangeRules(**values)  # type: ignore[arg-type]
