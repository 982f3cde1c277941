"""Spread between passes: estimated from a reference, and what it does to the test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from components.lib.drift.comparison import by_location, compare
from components.lib.drift.passes import Passes, passes_of

NAMES = ["moved", "still"]


def tiles(shared: float, *, acquisitions: int = 6, locations: int = 10, seed: int = 0) -> pd.DataFrame:
    """Two tiles at each location; in ``moved`` all locations of an acquisition share a deviation."""
    rng = np.random.default_rng(seed)
    count = acquisitions * locations
    ground = rng.normal(size=(2, count))
    ground[0] += np.repeat(rng.normal(scale=shared, size=acquisitions), locations)
    table = {
        "acquisition": [f"a{k // locations}" for k in range(count)],
        "location": [f"{k}" for k in range(count)],
        "moved": ground[0],
        "still": ground[1],
    }
    return pd.concat([pd.DataFrame(table)] * 2, ignore_index=True)


def test_a_shared_deviation_is_found_where_it_is() -> None:
    found = passes_of(tiles(1.5), NAMES)
    assert found.number == 6
    assert found.excess["moved"] > 3 * found.excess["still"]
    assert found.inflation("moved", 50, 10) > 5


def test_passes_that_differ_by_their_locations_alone_inflate_little() -> None:
    ratios = [passes_of(tiles(0.0, seed=seed), NAMES).inflation("moved", 50, 10) for seed in range(30)]
    assert 1.0 <= np.mean(ratios) < 1.4


def test_the_variance_grows_by_the_share_of_passes() -> None:
    passes = Passes(number=5, excess={"moved": 0.1})
    # Var(mean of 10) = 1/10 + 0.1, Var(mean of 5 x 10) = 1/50 + 0.1/5, over 1/10 + 1/50.
    assert passes.inflation("moved", 50, 10) == pytest.approx((1 / 10 + 0.1 + 1 / 50 + 0.1 / 5) / 0.12)
    assert passes.inflation("still", 50, 10) == 1.0


@pytest.mark.parametrize("acquisitions", [0, 1])
def test_fewer_than_two_acquisitions_tell_nothing(acquisitions: int) -> None:
    found = passes_of(tiles(1.0, acquisitions=acquisitions), NAMES)
    assert (found.number, dict(found.excess)) == (1, {})


def test_statistics_that_are_missing_or_never_vary_take_no_part() -> None:
    table = tiles(1.5).assign(still=np.nan, constant=3.0)
    found = passes_of(table, [*NAMES, "constant"])
    assert found.excess["moved"] > 0
    assert found.excess["still"] == found.excess["constant"] == 0.0


def test_one_location_for_each_acquisition_tells_nothing() -> None:
    assert set(passes_of(tiles(1.0, locations=1), NAMES).excess.values()) <= {0.0}


def test_passes_that_differ_make_no_false_alarms() -> None:
    """Null acquisitions whose locations share a deviation are called drifted too often without it."""
    alarms, alike = 0, 0
    for seed in range(60):
        table = tiles(1.0, seed=seed)
        reference, acquisition = table[table["acquisition"] != "a0"], table[table["acquisition"] == "a0"]
        sides = [by_location(side, ["moved"]) for side in (reference, acquisition)]
        alarms += compare(*sides, passes=passes_of(reference, ["moved"]), permutations=199).drifted
        alike += compare(*sides, permutations=199).drifted
    assert alike > 25
    assert alarms <= 9


def test_the_interval_is_as_wide_as_the_test_is_careful() -> None:
    table = tiles(1.0)
    sides = [by_location(side, NAMES) for side in (table[table["acquisition"] != "a0"], table.tail(10))]
    plain = {one.statistic: one for one in compare(*sides, permutations=99).statistics}["moved"]
    passes = Passes(number=5, excess={"moved": 0.3})
    wide = {one.statistic: one for one in compare(*sides, passes=passes, permutations=99).statistics}["moved"]
    assert wide.effect == plain.effect
    assert (wide.high - wide.low) == pytest.approx((plain.high - plain.low) * np.sqrt(wide.inflation))
    assert plain.inflation == 1.0
