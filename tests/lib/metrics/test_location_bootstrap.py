from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, ParameterError
from components.lib.metrics.bootstrap import STATISTICS, location_interval, paired_location_difference


def table(tp: list[int], missed: list[int], locations: list[str], sensor: str = "s") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(len(tp))],
            "sensor": sensor,
            "location": locations,
            "px_tp": tp,
            "px_fp": 0,
            "px_fn": missed,
            "tp": tp,
            "fp": 0,
            "fn": missed,
        }
    )


def random_table(seed: int, locations: int = 60, per_location: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    share = np.repeat(rng.uniform(0.2, 0.8, locations), per_location)
    hits = rng.binomial(1000, share)
    names = np.repeat([f"l{k}" for k in range(locations)], per_location).tolist()
    return table(hits.tolist(), (1000 - hits).tolist(), names)


def test_value_is_the_global_ratio() -> None:
    tiles = table([90, 10], [10, 90], ["a", "b"])
    interval = location_interval(tiles, "iou", 0.9, 500, seed=1)
    assert interval.value == pytest.approx(0.5)
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.9))
    assert (interval.locations, interval.degenerate, interval.confidence) == (2, False, 0.9)


def test_repeats_of_a_location_do_not_narrow_the_interval() -> None:
    once = random_table(0, locations=30, per_location=1)
    often = pd.concat([once.assign(image_id=once["image_id"] + f"_{k}") for k in range(10)])
    narrow = location_interval(once, "iou", 0.95, 1000, seed=3)
    repeated = location_interval(often, "iou", 0.95, 1000, seed=3)
    assert (repeated.low, repeated.high) == pytest.approx((narrow.low, narrow.high))
    as_if_independent = location_interval(often.assign(location=often["image_id"]), "iou", 0.95, 1000, seed=3)
    assert as_if_independent.high - as_if_independent.low < 0.5 * (repeated.high - repeated.low)


def test_width_agrees_with_the_normal_theory_of_location_means() -> None:
    tiles = random_table(5, locations=200, per_location=1)
    interval = location_interval(tiles, "recall", 0.95, 4000, seed=7)
    error = (tiles["tp"] / 1000).std() / np.sqrt(200)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert interval.low < interval.lower_bound < interval.value < interval.high


def test_the_draws_are_seeded() -> None:
    tiles = random_table(0)
    assert location_interval(tiles, "f1", 0.95, 200, seed=5) == location_interval(
        tiles, "f1", 0.95, 200, seed=5
    )
    assert location_interval(tiles, "f1", 0.95, 200, seed=5) != location_interval(
        tiles, "f1", 0.95, 200, seed=6
    )


def test_a_single_location_is_degenerate_and_says_so() -> None:
    interval = location_interval(table([3, 4], [1, 2], ["a", "a"]), "iou")
    assert interval.degenerate
    assert interval.value == interval.low == interval.high == interval.lower_bound == pytest.approx(0.7)
    assert interval.as_dict()["degenerate"] is True


def test_pairing_removes_what_both_models_share() -> None:
    champion = random_table(1)
    better = champion.assign(px_tp=champion["px_tp"] + 20, px_fn=champion["px_fn"] - 20)
    difference = paired_location_difference(better, champion, "iou", 0.95, 1000, seed=2)
    assert difference.value == pytest.approx(0.02)
    assert (difference.low, difference.high) == pytest.approx((0.02, 0.02))
    alone = location_interval(champion, "iou", 0.95, 1000, seed=2)
    assert alone.high - alone.low > 0.05


def test_equal_models_differ_by_exactly_zero_whatever_the_row_order() -> None:
    tiles = random_table(4)
    shuffled = tiles.sample(frac=1.0, random_state=0)
    difference = paired_location_difference(tiles, shuffled, "iou", 0.95, 300)
    assert (difference.value, difference.low, difference.high, difference.lower_bound) == (0.0, 0.0, 0.0, 0.0)


def test_differences_need_the_same_tiles() -> None:
    tiles = random_table(4)
    with pytest.raises(BadDataError, match="other tiles"):
        paired_location_difference(tiles, tiles.iloc[1:], "iou")
    with pytest.raises(BadDataError, match="other tiles"):
        paired_location_difference(tiles, tiles.assign(sensor="another"), "iou")


def test_no_tile_and_wrong_settings_are_refused() -> None:
    tiles = random_table(4)
    with pytest.raises(BadDataError, match="no tile"):
        location_interval(tiles.iloc[:0], "iou")
    with pytest.raises(ParameterError, match="unknown statistic 'accuracy'"):
        location_interval(tiles, "accuracy")
    with pytest.raises(ParameterError, match="confidence"):
        location_interval(tiles, "iou", confidence=95.0)


def test_a_statistic_may_be_any_function_of_the_sums() -> None:
    tiles = table([90, 10], [10, 90], ["a", "b"])
    assert location_interval(tiles, lambda n: n["px_tp"] - n["px_fn"]).value == 0.0


def test_every_statistic_of_a_world_without_buildings_is_zero() -> None:
    nothing = {name: np.zeros(3) for name in ("px_tp", "px_fp", "px_fn", "tp", "fp", "fn")}
    for name, statistic in STATISTICS.items():
        np.testing.assert_array_equal(statistic(nothing), np.zeros(3), err_msg=name)
