from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from components.contract.errors import BadDataError, ParameterError
from components.lib.metrics.blocksums import COUNTS, STATISTICS
from components.lib.metrics.blockvariance import block_variance
from components.lib.metrics.intervals import (
    detectable_difference,
    location_interval,
    paired_location_difference,
)


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


def random_table(seed: int, blocks: int = 60, per_block: int = 5, apart: int = 3) -> pd.DataFrame:
    """Blocks ``apart`` grid cells from each other, all of one size."""
    rng = np.random.default_rng(seed)
    share = np.repeat(rng.uniform(0.2, 0.8, blocks), per_block)
    hits = rng.binomial(1000, share)
    names = np.repeat([f"{apart * k}_7" for k in range(blocks)], per_block).tolist()
    return table(hits.tolist(), (1000 - hits).tolist(), names)


def test_the_value_is_the_ratio_of_all_counts() -> None:
    tiles = table([90, 10], [10, 90], ["0_0", "9_0"])
    interval = location_interval(tiles, "iou", 0.9, min_blocks=2)
    assert interval.value == pytest.approx(0.5)
    assert interval.low < 0.5 < interval.high
    assert (interval.locations, interval.degenerate, interval.confidence) == (2, False, 0.9)


def test_many_rows_of_a_block_do_not_narrow_the_interval() -> None:
    once = random_table(0, blocks=30, per_block=1)
    often = pd.concat([once.assign(image_id=once["image_id"] + f"_{k}") for k in range(10)])
    narrow, repeated = location_interval(once, "iou"), location_interval(often, "iou")
    assert (repeated.low, repeated.high) == pytest.approx((narrow.low, narrow.high))


def test_far_blocks_of_one_size_give_students_interval_of_their_mean() -> None:
    tiles = random_table(5, blocks=20, per_block=1)
    interval = location_interval(tiles, "recall")
    values = tiles["tp"].to_numpy() / 1000
    error = values.std(ddof=1) / np.sqrt(20)
    assert interval.freedom == pytest.approx(19)
    assert interval.standard_error == pytest.approx(error)
    wide = stats.t.ppf(0.975, 19) * error
    assert (interval.low, interval.high) == pytest.approx((values.mean() - wide, values.mean() + wide))
    assert interval.lower_bound == pytest.approx(values.mean() - stats.t.ppf(0.95, 19) * error)
    assert interval.lower_at(0.05) == interval.lower_bound
    assert interval.lower_at(0.01) == pytest.approx(values.mean() - stats.t.ppf(0.99, 19) * error)
    assert interval.chance_of_less(interval.lower_bound) == pytest.approx(0.95)
    assert interval.chance_of_less(interval.high) == pytest.approx(0.025)


def test_adjoining_blocks_that_agree_widen_the_interval() -> None:
    tiles = random_table(2, blocks=40, per_block=1)
    runs = np.repeat(tiles["tp"].to_numpy()[:10], 4)
    smooth = table(runs.tolist(), (1000 - runs).tolist(), [f"{k}_0" for k in range(40)])
    shuffled = smooth.assign(location=np.random.default_rng(0).permutation(smooth["location"]))
    assert location_interval(smooth, "iou").standard_error > 1.3 * (
        location_interval(shuffled, "iou").standard_error
    )


def test_blocks_of_unequal_size_have_fewer_degrees_of_freedom() -> None:
    positions = np.array([[3.0 * k, 0.0] for k in range(20)])
    equal = block_variance(positions, np.full(20, 50.0))
    unequal = block_variance(positions, np.where(np.arange(20) < 5, 100.0, 1.0))
    assert equal.freedom == pytest.approx(19)
    assert 2 < unequal.freedom < 6
    adjoining = block_variance(positions / 3.0, np.full(20, 50.0))
    assert adjoining.freedom < equal.freedom


def test_below_the_least_number_of_blocks_the_interval_is_unknown() -> None:
    few = random_table(1, blocks=14)
    interval = location_interval(few, "iou")
    assert interval.degenerate
    assert interval.lower_at(0.05) == -math.inf
    assert interval.chance_of_less(0.0) == interval.chance_of_less(1.0) == 1.0
    assert interval.as_dict()["low"] is interval.as_dict()["lower_bound"] is None
    assert interval.with_variance(0.1) == interval
    assert not location_interval(random_table(1, blocks=15), "iou").degenerate
    assert not location_interval(few, "iou", min_blocks=14).degenerate
    one = location_interval(table([3, 4], [1, 2], ["0_0", "0_0"]), "iou", min_blocks=1)
    assert one.degenerate
    assert one.value == pytest.approx(0.7)


def test_blocks_without_a_building_are_not_counted() -> None:
    tiles = random_table(1, blocks=20)
    empty = tiles["location"].isin([f"{3 * k}_7" for k in range(6)])
    tiles.loc[empty, ["tp", "fp", "fn"]] = 0
    assert location_interval(tiles, "f1").degenerate
    assert location_interval(tiles, "iou").locations == 20


def test_pairing_removes_what_both_models_share() -> None:
    champion = random_table(1)
    better = champion.assign(px_tp=champion["px_tp"] + 20, px_fn=champion["px_fn"] - 20)
    difference = paired_location_difference(better, champion, "iou")
    assert difference.value == pytest.approx(0.02)
    assert (difference.low, difference.high) == pytest.approx((0.02, 0.02))
    alone = location_interval(champion, "iou")
    assert alone.high - alone.low > 0.05


def test_equal_models_differ_by_exactly_zero_whatever_the_row_order() -> None:
    tiles = random_table(4)
    shuffled = tiles.sample(frac=1.0, random_state=0)
    difference = paired_location_difference(tiles, shuffled, "iou")
    assert (difference.value, difference.low, difference.high, difference.lower_bound) == (0.0, 0.0, 0.0, 0.0)
    assert difference.chance_of_less(0.0) == 1.0
    assert difference.chance_of_less(0.01) == 0.0


def test_training_noise_widens_a_difference() -> None:
    champion = random_table(1)
    better = champion.assign(px_tp=champion["px_tp"] + 20, px_fn=champion["px_fn"] - 20)
    noisy = paired_location_difference(better, champion, "iou").with_variance(2 * 0.01**2)
    assert noisy.standard_error == pytest.approx(math.sqrt(2) * 0.01)
    assert noisy.lower_bound < 0.0 < noisy.value


def test_a_detectable_difference_is_found_as_often_as_it_says() -> None:
    found = detectable_difference(0.01, 11.0, level=0.05, power=0.8)
    critical = stats.t.ppf(0.95, 11)
    assert stats.nct.sf(critical, 11, found / 0.01) == pytest.approx(0.8, abs=1e-6)


def test_differences_need_the_same_tiles() -> None:
    tiles = random_table(4)
    with pytest.raises(BadDataError, match="other tiles"):
        paired_location_difference(tiles, tiles.iloc[1:], "iou")
    with pytest.raises(BadDataError, match="other tiles"):
        paired_location_difference(tiles, tiles.assign(sensor="another"), "iou")


def test_no_tile_wrong_settings_and_other_locations_are_refused() -> None:
    tiles = random_table(4)
    with pytest.raises(BadDataError, match="no tile"):
        location_interval(tiles.iloc[:0], "iou")
    with pytest.raises(ParameterError, match="unknown statistic 'accuracy'"):
        location_interval(tiles, "accuracy")
    with pytest.raises(ParameterError, match="confidence"):
        location_interval(tiles, "iou", confidence=95.0)
    with pytest.raises(BadDataError, match="location 'cell 3' is no ground block"):
        location_interval(tiles.assign(location=tiles["location"].where(tiles.index > 0, "cell 3")), "iou")


def test_every_statistic_of_an_empty_world_is_zero() -> None:
    nothing = {name: np.zeros(3) for name in COUNTS}
    for name, statistic in STATISTICS.items():
        np.testing.assert_array_equal(statistic(nothing), np.zeros(3), err_msg=name)
