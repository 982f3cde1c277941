from __future__ import annotations

import numpy as np
import pytest

from components.lib.change.scoring.relaxed import RelaxedCounts, count_relaxed

KNOWN = np.ones((20, 20), dtype=bool)


def test_a_shift_within_the_tolerance_costs_nothing() -> None:
    truth, predicted = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    truth[5:10, 5:10] = predicted[5:10, 8:13] = True
    found = count_relaxed(predicted, truth, KNOWN, 3.0)
    assert found == RelaxedCounts(25, 25, 25, 25)
    assert found.f1 == 1.0
    assert count_relaxed(predicted, truth, KNOWN, 2.0) == RelaxedCounts(25, 20, 25, 20)


def test_the_distance_is_euclidean() -> None:
    truth, predicted = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    truth[5, 5] = predicted[8, 9] = True
    assert count_relaxed(predicted, truth, KNOWN, 5.0).predicted_near == 1
    assert count_relaxed(predicted, truth, KNOWN, 4.9).predicted_near == 0


def test_unknown_pixels_neither_count_nor_are_near() -> None:
    truth, predicted, known = (np.zeros((20, 20), dtype=bool) for _ in range(3))
    truth[5, 5] = predicted[5, 6] = True
    known[:, 6:] = True
    assert count_relaxed(predicted, truth, known, 3.0) == RelaxedCounts(1, 0, 0, 0)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (RelaxedCounts(0, 0, 0, 0), (None, None, None)),
        (RelaxedCounts(4, 0, 0, 0), (0.0, None, 0.0)),
        (RelaxedCounts(0, 0, 4, 0), (None, 0.0, 0.0)),
        (RelaxedCounts(4, 3, 2, 1), (0.75, 0.5, 0.6)),
    ],
)
def test_ratios_without_a_denominator_are_undefined(
    counts: RelaxedCounts, expected: tuple[float | None, ...]
) -> None:
    assert (counts.precision, counts.recall, counts.f1) == expected
