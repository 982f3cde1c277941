from __future__ import annotations

import pytest

from components.contract.errors import BadDataError
from components.lib.change.scoring.seeds import compare_seeds

STEADY = [0.90, 0.91, 0.92]


def test_a_difference_above_twice_the_spread_counts() -> None:
    found = compare_seeds([0.95, 0.94, 0.96], STEADY)
    assert found.counts
    assert found.difference == pytest.approx(0.04)
    assert found.spread == pytest.approx(0.01)


def test_a_difference_of_twice_the_spread_at_most_does_not_count() -> None:
    found = compare_seeds([0.92, 0.93, 0.935], STEADY)
    assert not found.counts
    assert "does not exceed twice the spread" in found.why


def test_the_larger_spread_decides() -> None:
    assert not compare_seeds([0.90, 0.95, 1.0], STEADY).counts


def test_a_loss_counts_like_a_gain() -> None:
    assert compare_seeds([0.80, 0.81, 0.82], STEADY).counts


def test_fewer_than_three_seeds_never_count() -> None:
    found = compare_seeds([0.99, 0.99], STEADY)
    assert not found.counts
    assert "2 seed(s)" in found.why


def test_a_method_without_a_score_is_refused() -> None:
    with pytest.raises(BadDataError, match="no score"):
        compare_seeds([], STEADY)
