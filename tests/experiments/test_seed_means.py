from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, ParameterError
from components.experiments.seed_means import gap_closure, mean_difference, mean_interval
from components.lib.metrics.bootstrap import location_interval, paired_location_difference

LOCATIONS = ["a", "b", "c", "d", "e"]


def table(seed: int, quality: float) -> pd.DataFrame:
    """Two tiles per location, about ``quality`` of the pixels found, in an order of its own."""
    rng = np.random.default_rng(seed)
    names = np.repeat(LOCATIONS, 2)
    size = rng.integers(50, 500, len(names))
    hits = rng.binomial(size, quality)
    tiles = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(len(names))],
            "sensor": "s",
            "location": names,
            "px_tp": hits,
            "px_fp": rng.integers(0, 40, len(names)),
            "px_fn": size - hits,
        }
    )
    return tiles.sample(frac=1.0, random_state=seed)


CONTROL = [table(k, 0.4) for k in range(3)]
STUDENT = [table(10 + k, 0.55) for k in range(2)]
TEACHER = [table(20, 0.8)]


def brute_means(tables: list[pd.DataFrame], resamples: int, seed: int) -> list[float]:
    """Locations drawn one by one, their rows laid end to end, IoU per seed, then the mean."""
    weights = np.random.default_rng(seed).multinomial(5, [0.2] * 5, size=resamples)
    values = []
    for draw in [np.ones(5, dtype=int), *weights]:
        ious = []
        for tiles in tables:
            drawn = pd.concat(
                [tiles[tiles["location"] == name] for name, n in zip(LOCATIONS, draw, strict=True)
                 for _ in range(n)]
            )  # fmt: skip
            tp, fp, fn = (drawn[name].sum() for name in ("px_tp", "px_fp", "px_fn"))
            ious.append(tp / (tp + fp + fn))
        values.append(float(np.mean(ious)))
    return values


def ends(values: list[float]) -> list[float]:
    return [values[0], *np.quantile(values[1:], [0.05, 0.95, 0.1])]


def test_means_differences_and_closure_agree_with_brute_force() -> None:
    student, control, teacher = (np.array(brute_means(t, 40, 3)) for t in (STUDENT, CONTROL, TEACHER))
    found = mean_interval(STUDENT, "iou", 0.9, 40, 3)
    assert [found.value, found.low, found.high, found.lower_bound] == pytest.approx(ends(student.tolist()))
    assert (found.locations, found.degenerate, found.confidence) == (5, False, 0.9)
    difference = mean_difference(STUDENT, CONTROL, "iou", 0.9, 40, 3)
    expected = ends((student - control).tolist())
    assert [difference.value, difference.low, difference.high, difference.lower_bound] == pytest.approx(
        expected
    )
    closure = gap_closure(STUDENT, CONTROL, TEACHER, "iou", 0.9, 40, 3)
    assert closure is not None
    expected = ends(((student - control) / (teacher - control)).tolist())
    assert [closure.value, closure.low, closure.high, closure.lower_bound] == pytest.approx(expected)


def test_one_seed_is_the_plain_interval() -> None:
    assert mean_interval(TEACHER, "iou") == location_interval(TEACHER[0], "iou")
    assert mean_difference(TEACHER, CONTROL[:1], "px_f1") == paired_location_difference(
        TEACHER[0], CONTROL[0], "px_f1"
    )


def test_closure_is_zero_at_the_start_and_one_at_the_goal() -> None:
    for reached, value in ((CONTROL, 0.0), (TEACHER, 1.0)):
        closure = gap_closure(reached, CONTROL, TEACHER, "iou", resamples=100)
        assert closure is not None
        assert (closure.value, closure.low, closure.high) == pytest.approx((value,) * 3)


def test_without_a_clear_gap_there_is_no_closure() -> None:
    assert gap_closure(STUDENT, TEACHER, CONTROL, "iou") is None
    assert gap_closure(STUDENT, CONTROL, CONTROL, "iou") is None
    # Better on the whole, but by one location alone: draws without it show no gap.
    lucky = CONTROL[0].copy()
    lucky.loc[lucky["location"] == "a", "px_fp"] = 0
    assert mean_difference([lucky], CONTROL[:1], "iou").value > 0
    assert gap_closure(STUDENT, CONTROL[:1], [lucky], "iou") is None


def test_rare_draws_without_a_gap_do_not_move_the_other_end() -> None:
    goal, start = table(30, 0.8), table(31, 0.4)
    bad = goal["location"] == "a"
    goal.loc[bad, "px_fp"] += 4 * goal.loc[bad, "px_tp"]
    closure = gap_closure(STUDENT, [start], [goal], "iou", 0.8, 2000)
    gap = mean_difference([goal], [start], "iou", 0.8, 2000)
    assert closure is not None
    assert gap.low > 0 > mean_difference([goal], [start], "iou", 0.99, 2000).low
    assert np.isfinite([closure.low, closure.high]).all()
    assert closure.low < closure.value < closure.high


def test_tables_of_other_tiles_or_none_are_refused() -> None:
    with pytest.raises(BadDataError, match="no score table"):
        mean_interval([], "iou")
    with pytest.raises(BadDataError, match="no score table"):
        mean_difference(STUDENT, [], "iou")
    with pytest.raises(BadDataError, match="other tiles"):
        mean_interval([CONTROL[0], CONTROL[1].iloc[1:]], "iou")
    with pytest.raises(BadDataError, match="other tiles"):
        gap_closure(STUDENT, CONTROL, [TEACHER[0].assign(sensor="t")], "iou")
    with pytest.raises(BadDataError, match="no tile"):
        mean_interval([TEACHER[0].iloc[:0]], "iou")
    with pytest.raises(ParameterError, match="unknown statistic"):
        mean_interval(CONTROL, "accuracy")


def test_one_location_is_degenerate() -> None:
    single = [tiles[tiles["location"] == "a"] for tiles in STUDENT]
    found = mean_interval(single, "iou")
    assert found.degenerate
    assert found.value == found.low == found.high
