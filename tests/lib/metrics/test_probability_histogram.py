from __future__ import annotations

import numpy as np
import pytest

from components.lib.metrics.counts import Counts, count_pixels
from components.lib.metrics.probabilities import BINS, ProbabilityHistogram


def random_image(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((60, 60)) < 0.3
    probability = np.clip(rng.normal(0.2 + 0.2 * truth, 0.15), 0, 1).astype(np.float32)
    probability[0, :4] = 0.5, 1.0, 0.0, 0.25
    return probability, truth, rng.random((60, 60)) < 0.9


@pytest.mark.parametrize("threshold", [0.25, 0.5, 1 / BINS, 255 / BINS])
def test_counts_are_those_of_the_comparison(threshold: float) -> None:
    probability, truth, valid = random_image(1)
    expected = count_pixels(probability > threshold, truth, valid)
    assert ProbabilityHistogram.of(probability, truth, valid).counts(threshold) == expected


def test_histograms_of_images_add_up() -> None:
    parts = [ProbabilityHistogram.of(*random_image(seed)) for seed in (1, 2)]
    both = sum(parts, start=ProbabilityHistogram.empty())
    assert both.counts(0.5) == parts[0].counts(0.5) + parts[1].counts(0.5)


def test_the_best_threshold_is_the_one_of_an_exhaustive_search() -> None:
    probability, truth, valid = random_image(3)
    values = [count_pixels(probability > k / BINS, truth, valid).iou for k in range(1, BINS)]
    histogram = ProbabilityHistogram.of(probability, truth, valid)
    found = histogram.best_threshold()
    assert histogram.counts(found).iou == max(values)
    assert found < 0.5, "an undertrained network needs a lower threshold"
    assert histogram.counts(found).iou > histogram.counts(0.5).iou


def test_of_equal_thresholds_the_nearest_to_one_half_is_taken() -> None:
    truth = np.array([[True, False]])
    certain = ProbabilityHistogram.of(np.array([[0.9, 0.1]], dtype=np.float32), truth, truth | True)
    assert certain.best_threshold() == 0.5
    nothing = ProbabilityHistogram.of(np.zeros((1, 2), dtype=np.float32), truth & False, truth | True)
    assert nothing.best_threshold() == 0.5
    assert nothing.average_precision() == 0.0


def test_average_precision_is_the_step_sum_over_all_thresholds() -> None:
    probability, truth, valid = random_image(4)
    binned = np.ceil(probability * BINS)
    area, recall = 0.0, 0.0
    for level in np.unique(binned[valid])[::-1]:
        counts = count_pixels(binned >= level, truth, valid)
        area += (counts.recall - recall) * counts.precision
        recall = counts.recall
    # Probabilities of 0 and of up to 1/BINS share a bin.
    assert ProbabilityHistogram.of(probability, truth, valid).average_precision() == pytest.approx(
        area, abs=2e-3
    )


def test_a_threshold_inside_a_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        ProbabilityHistogram.empty().counts(0.3)


def test_accuracy_and_kappa() -> None:
    # Cohen (1960): 45 of 100 alike in both classes, by chance .5.
    counts = Counts(tp=40, fp=10, fn=20, tn=30)
    assert counts.accuracy == pytest.approx(0.7)
    assert counts.kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert Counts(0, 0, 0, 5).kappa == 0.0
