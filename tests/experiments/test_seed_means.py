from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from components.contract.errors import BadDataError, ParameterError
from components.experiments.seed_means import gap_closure, mean_difference, mean_interval
from components.lib.metrics.intervals import estimates, location_interval, paired_location_difference

LOCATIONS = ["0_0", "3_0", "6_0", "9_0", "3_3"]
"""Ground blocks that do not adjoin."""


def table(seed: int, quality: float) -> pd.DataFrame:
    """Two rows per block, about ``quality`` of the pixels found, in an order of its own."""
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


def brute_means(tables: list[pd.DataFrame], left_out: str | None = None) -> float:
    """IoU per seed of all rows but those of a block, then the mean."""
    ious = []
    for tiles in tables:
        kept = tiles[tiles["location"] != left_out]
        tp, fp, fn = (kept[name].sum() for name in ("px_tp", "px_fp", "px_fn"))
        ious.append(tp / (tp + fp + fn))
    return float(np.mean(ious))


def sizes(*methods: list[pd.DataFrame]) -> np.ndarray[Any, Any]:
    columns = ["px_tp", "px_fp", "px_fn"]
    every = [t.groupby("location")[columns].sum().sum(axis=1)[LOCATIONS] for m in methods for t in m]
    return np.asarray(np.mean(every, axis=0), dtype=np.float64)


def test_means_and_differences_agree_with_leaving_blocks_out_by_hand() -> None:
    found = mean_difference(STUDENT, CONTROL, "iou", 0.9, min_blocks=5)
    value = brute_means(STUDENT) - brute_means(CONTROL)
    left = np.array([brute_means(STUDENT, k) - brute_means(CONTROL, k) for k in LOCATIONS])
    share = sizes(STUDENT, CONTROL)
    share = share / share.sum()
    # Far blocks are independent: the sum of squares, without the bias of the estimated mean.
    squares = (((value - left) * (1 - share)) ** 2).sum()
    model = (share**2).sum()
    centring = np.eye(5) - np.outer(share, np.ones(5))
    bias = model / np.trace(centring.T @ centring @ np.diag(share**2))
    assert found.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(np.sqrt(squares * bias))
    assert (found.locations, found.degenerate, found.confidence) == (5, False, 0.9)
    alone = mean_interval(STUDENT, "iou", 0.9, min_blocks=5)
    assert alone.value == pytest.approx(brute_means(STUDENT))


def test_the_ends_of_a_closure_are_the_ratios_that_do_not_differ_from_zero() -> None:
    closure = gap_closure(STUDENT, CONTROL, TEACHER, "iou", 0.9, min_blocks=5)
    assert closure is not None
    a, b, c = (brute_means(m) for m in (STUDENT, CONTROL, TEACHER))
    assert closure.value == pytest.approx((a - b) / (c - b))
    three = estimates([STUDENT, CONTROL, TEACHER], "iou", 0.9, min_blocks=5)
    for end, quantile in ((closure.low, 0.95), (closure.high, 0.95), (closure.lower_bound, 0.9)):
        rest = three.combined([1.0, end - 1.0, -end], 0.9)
        assert abs(rest.value) / rest.standard_error == pytest.approx(stats.t.ppf(quantile, rest.freedom))
    assert closure.low < closure.lower_bound < closure.value < closure.high


def test_one_seed_is_the_plain_interval() -> None:
    assert mean_interval(TEACHER, "iou") == location_interval(TEACHER[0], "iou")
    assert mean_difference(TEACHER, CONTROL[:1], "px_f1", min_blocks=5) == paired_location_difference(
        TEACHER[0], CONTROL[0], "px_f1", min_blocks=5
    )


def test_closure_is_zero_at_the_start_and_one_at_the_goal() -> None:
    for reached, value in ((CONTROL, 0.0), (TEACHER, 1.0)):
        closure = gap_closure(reached, CONTROL, TEACHER, "iou", min_blocks=5)
        assert closure is not None
        assert (closure.value, closure.low, closure.high) == pytest.approx((value,) * 3)


def test_without_a_clear_gap_there_is_no_closure() -> None:
    assert gap_closure(STUDENT, TEACHER, CONTROL, "iou", min_blocks=5) is None
    assert gap_closure(STUDENT, CONTROL, CONTROL, "iou", min_blocks=5) is None
    # Better on the whole, but by one block alone.
    lucky = CONTROL[0].copy()
    lucky.loc[lucky["location"] == LOCATIONS[0], "px_fp"] = 0
    assert mean_difference([lucky], CONTROL[:1], "iou", min_blocks=5).value > 0
    assert gap_closure(STUDENT, CONTROL[:1], [lucky], "iou", min_blocks=5) is None


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


def test_a_few_blocks_give_no_interval() -> None:
    found = mean_interval(STUDENT, "iou")
    assert found.degenerate
    assert found.value == pytest.approx(brute_means(STUDENT))
    closure = gap_closure(STUDENT, CONTROL, TEACHER, "iou")
    assert closure is not None
    assert closure.degenerate
