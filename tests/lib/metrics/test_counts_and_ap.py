from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from components.lib.metrics.average_precision import average_precision, precision_recall_curve
from components.lib.metrics.blocksums import STATISTICS
from components.lib.metrics.counts import Counts, count_pixels, f1, iou, mean_hard_dice


def test_pixels_are_counted_where_valid() -> None:
    predicted = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], dtype=bool)
    truth = np.array([[1, 0, 1, 0], [1, 1, 1, 1]], dtype=bool)
    valid = np.array([[1, 1, 1, 1], [0, 0, 0, 1]], dtype=bool)
    assert count_pixels(predicted, truth, valid) == Counts(tp=2, fp=1, fn=1, tn=1)
    assert count_pixels(predicted, truth) == Counts(tp=5, fp=1, fn=1, tn=1)


def test_ratios_come_from_the_summed_counts_not_from_tile_means() -> None:
    tiles = pd.DataFrame({"px_tp": [90, 0], "px_fp": [10, 1], "px_fn": [0, 9], "px_tn": [0, 90]})
    total = Counts.of_pixels(tiles)
    assert total == Counts(90, 0, 0) + Counts(0, 11, 9, 90)
    assert total.as_dict() == pytest.approx(
        {"iou": 90 / 110, "f1": 180 / 200, "precision": 90 / 101, "recall": 90 / 99}
    )


def test_nothing_to_find_and_nothing_found_is_zero() -> None:
    assert Counts(0, 0, 0, 100).as_dict() == {"iou": 0.0, "f1": 0.0, "precision": 0.0, "recall": 0.0}


def test_totals_and_tables_share_the_formulas() -> None:
    tiles = pd.DataFrame(
        {"px_tp": [90, 0], "px_fp": [10, 1], "px_fn": [0, 9], "px_tn": [0, 90]}
        | {"tp": [3, 0], "fp": [1, 0], "fn": [2, 0]}
    )
    sums = {str(name): np.array([tiles[name].sum()], dtype=np.float64) for name in tiles}
    pixels, buildings = Counts.of_pixels(tiles), Counts.of_buildings(tiles)
    assert buildings == Counts(tp=3, fp=1, fn=2)
    for name, value in pixels.as_dict().items():
        assert STATISTICS["iou" if name == "iou" else f"px_{name}"](sums).tolist() == [value]
    for name in ("f1", "precision", "recall"):
        assert STATISTICS[name](sums).tolist() == [getattr(buildings, name)]
    assert iou(tiles["px_tp"], tiles["px_fp"], tiles["px_fn"]).tolist() == [0.9, 0.0]
    assert f1([0, 1], [0, 0], [0, 1]).tolist() == [0.0, 2 / 3]


def test_mean_hard_dice_rewards_an_empty_tile() -> None:
    tiles = pd.DataFrame({"px_tp": [0, 4], "px_fp": [0, 2], "px_fn": [0, 2]})
    assert mean_hard_dice(tiles) == pytest.approx((1.0 + 9 / 13) / 2)
    assert mean_hard_dice(tiles.iloc[:0]) == 0.0


def test_average_precision_by_hand() -> None:
    # Cut-offs: P 1, R 1/4; P 1/2; P 2/3, R 2/4; P 2/4; P 3/5, R 3/4. Envelope: 1, 2/3, 3/5.
    confidence = [0.9, 0.8, 0.7, 0.6, 0.5]
    matched = [True, False, True, False, True]
    assert average_precision(confidence, matched, 4) == pytest.approx(0.25 * (1 + 2 / 3 + 3 / 5))


def test_average_precision_ends() -> None:
    assert average_precision([0.9, 0.1], [True, True], 2) == 1.0
    assert average_precision([0.9], [False], 3) == 0.0
    assert average_precision([], [], 3) == 0.0
    assert average_precision([0.5], [False], 0) == 0.0


def test_average_precision_of_ties_does_not_depend_on_their_order() -> None:
    one = average_precision([0.5] * 4, [True, False, True, False], 2)
    other = average_precision([0.5] * 4, [False, False, True, True], 2)
    assert one == other == pytest.approx(0.5)
    confidence, precision, recall = precision_recall_curve([0.5] * 4, [True, False, True, False], 2)
    assert (confidence.tolist(), precision.tolist(), recall.tolist()) == ([0.5], [0.5], [1.0])


def test_average_precision_follows_confidence_not_row_order() -> None:
    rng = np.random.default_rng(3)
    confidence, matched = rng.random(50), rng.random(50) < 0.5
    shuffled = rng.permutation(50)
    assert average_precision(confidence, matched, 60) == pytest.approx(
        average_precision(confidence[shuffled], matched[shuffled], 60)
    )
