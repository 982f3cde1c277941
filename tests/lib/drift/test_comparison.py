"""The clustered two-sample test: its error, what it finds, and what it refuses."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import ParameterError
from components.lib.drift.comparison import by_location, compare, least_p_value


def locations(count: int, seed: int, shift: float = 0.0, statistics: int = 6) -> pd.DataFrame:
    """Statistics that share a common part; the first of them is moved."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, statistics)) + rng.normal(size=(count, 1))
    values[:, 0] += shift
    return pd.DataFrame(values, columns=[f"s{k}" for k in range(statistics)])


def test_false_alarms_over_all_statistics_are_as_rare_as_stated() -> None:
    alarms = sum(
        compare(locations(30, seed), locations(8, 1000 + seed), permutations=199).drifted
        for seed in range(200)
    )
    assert 3 <= alarms <= 18, "99 % of a binomial count of 200 at 5 %"


def test_a_shift_is_found_first_in_its_statistic() -> None:
    found = compare(locations(40, 1), locations(12, 2, shift=4.0))
    assert found.drifted
    assert found.shifted[0] == "s0"
    first = found.statistics[0]
    assert first.low < first.effect < first.high
    assert first.acquisition_mean - first.reference_mean == pytest.approx(4.0, abs=1.0)


def test_a_p_value_is_that_of_all_divisions() -> None:
    reference, acquisition = locations(6, 3, statistics=1), locations(4, 4, shift=1.5, statistics=1)
    values = np.concatenate([reference["s0"], acquisition["s0"]]).argsort().argsort()
    found = abs(values[6:].mean() - values[:6].mean())
    divisions = [np.isin(np.arange(10), chosen) for chosen in combinations(range(10), 4)]
    exact = np.mean([abs(values[c].mean() - values[~c].mean()) >= found - 1e-12 for c in divisions])
    drawn = compare(reference, acquisition).p_value
    assert drawn == pytest.approx(exact, abs=0.02)


def test_equal_seeds_give_equal_p_values() -> None:
    reference, acquisition = locations(20, 5), locations(8, 6, shift=1.0)
    assert compare(reference, acquisition, seed=3) == compare(reference, acquisition, seed=3)
    assert compare(reference, acquisition, seed=3) != compare(reference, acquisition, seed=4)


def test_tiles_of_one_location_count_once() -> None:
    tiles = pd.DataFrame({"location": ["a", "a", "b"], "s0": [1.0, 3.0, np.nan]})
    means = by_location(tiles, ["s0"])
    assert means.loc["a", "s0"] == 2.0
    assert means["s0"].isna().tolist() == [False, True]


def test_too_few_locations_are_refused() -> None:
    assert least_p_value(3, 3) == pytest.approx(0.1)
    with pytest.raises(ParameterError, match="3 locations against 3 of the reference are too few"):
        compare(locations(3, 1), locations(3, 2))
    with pytest.raises(ParameterError, match="1 locations against 90"):
        compare(locations(90, 1), locations(1, 2))
    assert compare(locations(4, 1), locations(4, 2)).p_value > 0


def test_very_many_locations_leave_a_small_p_value() -> None:
    assert least_p_value(4000, 600) == 0.0, "their divisions exceed any float"


@pytest.mark.parametrize(
    "sizes", [(1.0, 1e-300), (1e-160, 1.0), (1.0, 1e160), (1e300, 1e300), (1e-310, 1e-310)]
)
def test_effects_of_extreme_values_are_finite(sizes: tuple[float, float]) -> None:
    sides = [locations(8, k, statistics=1) * size for k, size in enumerate(sizes)]
    [found] = compare(*sides, permutations=99).statistics
    numbers = [found.effect, found.low, found.high, found.reference_mean, found.acquisition_mean]
    assert np.isfinite(numbers).all()
    assert found.low < found.high


def test_what_cannot_be_compared_is_said() -> None:
    reference = locations(12, 1).assign(rare=[1.0, *[np.nan] * 11], constant=1.0, infinite=np.inf)
    acquisition = locations(6, 2).assign(rare=2.0, constant=1.0, infinite=0.0)
    acquisition.loc[0, "s1"] = np.nan
    found = compare(reference, acquisition.drop(columns="s5"))
    assert set(found.untested) == {"rare", "constant", "infinite", "s5"}, "one gap in s1 does no harm"
    assert found.untested["rare"] == "the reference lacks it at 92% of its locations"
    with pytest.raises(ParameterError, match="no statistic can be compared"):
        compare(reference[["constant"]], acquisition[["constant"]])
