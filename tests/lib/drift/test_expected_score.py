"""Scores that are expected from calibrated probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from components.contract.errors import BadDataError, ParameterError
from components.lib.drift.expected_score import (
    BlockProbabilities,
    calibrated,
    estimate_score,
    thresholded,
)
from components.lib.metrics.probabilities import BINS, ProbabilityHistogram

THRESHOLD = 0.25


def drawn(blocks: int, seed: int, *, odds: float = 1.0, labelled: bool = True) -> BlockProbabilities:
    """Blocks whose pixels are building as often as their probability says, squared to make it wrong.

    With ``odds`` the ground has other shares of sure pixels, without a change of what probabilities mean.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for block in range(blocks):
        p = rng.beta(0.4 * odds, 0.8, size=4000).astype(np.float32)
        truth = rng.uniform(size=p.shape) < p.astype(np.float64) ** 2
        found = ProbabilityHistogram.of(p, truth & labelled, np.ones(p.shape, dtype=bool))
        parts.append((f"{block}_{seed}", found))
    return BlockProbabilities.of(parts, labelled=labelled)


def test_the_calibration_never_falls_and_keeps_the_buildings() -> None:
    found = drawn(20, 1)
    assert found.building is not None
    pixels, building = found.pixels.sum(axis=0), found.building.sum(axis=0)
    share = calibrated(pixels, building)
    assert (np.diff(share) >= 0).all()
    assert (share @ pixels) == pytest.approx(building.sum())
    middle = BINS // 2
    assert share[middle] == pytest.approx(0.25, abs=0.05), "probability one half means a quarter here"


def test_on_the_tiles_of_the_calibration_both_estimates_give_the_true_score() -> None:
    tiles = drawn(20, 1)
    found = estimate_score(tiles, tiles, THRESHOLD)["iou"]
    assert found.true == found.reference
    assert found.expected.value == pytest.approx(found.true, abs=0.005)
    assert found.thresholded == pytest.approx(found.true, abs=1e-9)


def test_other_ground_is_followed_without_its_labels() -> None:
    reference, tiles = drawn(30, 10), drawn(30, 100, odds=2.5)
    labelled = estimate_score(reference, tiles, THRESHOLD)
    blind = estimate_score(reference, drawn(30, 100, odds=2.5, labelled=False), THRESHOLD)
    for metric, found in labelled.items():
        assert found.true is not None
        assert abs(found.true - found.reference) > 0.05, "the score on the calibration's tiles is no estimate"
        assert found.expected.value == pytest.approx(found.true, abs=0.02)
        assert found.expected.low < found.true < found.expected.high
        assert blind[metric].true is None
        assert blind[metric].expected == found.expected


def test_a_calibration_of_few_blocks_widens_the_interval() -> None:
    tiles = drawn(30, 2)
    few, many = (estimate_score(drawn(n, 1), tiles, THRESHOLD)["iou"].expected for n in (16, 100))
    assert few.standard_error > many.standard_error > 0
    small = estimate_score(drawn(100, 1), drawn(3, 2), THRESHOLD)["iou"].expected
    assert small.standard_error > many.standard_error, "three blocks vary more than thirty"
    assert estimate_score(drawn(3, 1), tiles, THRESHOLD)["iou"].expected.degenerate


def test_thresholded_confidence_counts_the_least_confident_as_wrong() -> None:
    pixels, building = np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64)
    pixels[[10, 60, 200, 250]] = 100, 100, 100, 100
    building[[60, 200, 250]] = 50, 50, 100
    share = thresholded(pixels, building, 0.5)
    assert share[[10, 60, 200, 250]].tolist() == [0.0, 0.5, 0.5, 1.0]


def test_mistakes_get_a_message() -> None:
    tiles = drawn(2, 1)
    with pytest.raises(ParameterError, match="not a multiple of 1/256"):
        estimate_score(tiles, tiles, 0.3)
    nothing = drawn(2, 1, labelled=False)
    with pytest.raises(BadDataError, match="nothing to calibrate by"):
        calibrated(nothing.pixels[0], np.zeros(BINS, dtype=np.int64))
    with pytest.raises(ValueError, match="needs labels"):
        estimate_score(nothing, tiles, THRESHOLD)
    with pytest.raises(BadDataError, match="no pixel"):
        BlockProbabilities.of([("0_0", ProbabilityHistogram.empty())])
