"""Spread between passes beyond that of their locations, estimated from a reference of several acquisitions.

Locations of one acquisition share what its flight had in common: the side it looked from, its swaths and with
them the share of no-data, the weather. They are more alike than locations of several acquisitions, so that a
test which permutes locations takes the usual difference of two passes for drift. How much they share is
estimated for each statistic by a one-way analysis of variance over the reference's acquisitions, of ranks:
``F`` is the mean square between acquisitions over that within. Few acquisitions tell little of one statistic,
so ``F`` is moderated towards the mean of all statistics, in the manner of Smyth (2004, Statistical
Applications in Genetics and Molecular Biology 3, 3). The test then divides a difference by the square root of
the factor by which this makes its variance larger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PRIOR = 4.0
"""Degrees of freedom that the mean of all statistics counts for: as many as five acquisitions give."""

LEAST_PASSES = 2
"""Acquisitions of a reference, for anything to be said of what they differ by."""


@dataclass(frozen=True, slots=True)
class Passes:
    """Spread between the acquisitions of a reference.

    Attributes:
        number: Acquisitions in the reference.
        excess: Variance between acquisitions, beyond that of their locations, over the variance within one,
            by statistic; 0 where they differ by their locations alone, or nothing can be said.
    """

    number: int = 1
    excess: Mapping[str, float] = field(default_factory=dict)

    def inflation(self, statistic: str, reference: int, acquisition: int) -> float:
        """Return the variance of a difference of means over that which permuted locations have, at least 1.

        Args:
            statistic: Its name.
            reference: Locations of the reference.
            acquisition: Locations of the acquisition.
        """
        shared = self.excess.get(statistic, 0.0) * (1.0 + 1.0 / self.number)
        return 1.0 + shared / (1.0 / reference + 1.0 / acquisition)


def passes_of(tiles: pd.DataFrame, statistics: Sequence[str]) -> Passes:
    """Estimate how far the acquisitions of a reference differ beyond their locations.

    Args:
        tiles: One row per tile, with the columns ``acquisition`` and ``location``.
        statistics: Columns to look at; where a tile lacks one, it does not count.
    """
    units = tiles[list(statistics)].astype("float64").groupby([tiles["acquisition"], tiles["location"]])
    means = units.mean().rank()
    number = int(means.index.get_level_values("acquisition").nunique())
    if number < LEAST_PASSES:
        return Passes(number=max(number, 1))
    found = {name: _variance_ratio(means[name].dropna()) for name in statistics}
    known = [ratio for ratio, _ in found.values() if np.isfinite(ratio)]
    if not known:
        return Passes(number=number)
    own, mean = number - 1.0, float(np.mean(known))
    moderated = {
        name: (own * ratio + PRIOR * mean) / (own + PRIOR) if np.isfinite(ratio) else 1.0
        for name, (ratio, _) in found.items()
    }
    excess = {name: max(0.0, ratio - 1.0) / found[name][1] for name, ratio in moderated.items()}
    return Passes(number=number, excess=excess)


def _variance_ratio(ranks: pd.Series) -> tuple[float, float]:
    """Return ``F`` of ranks over acquisitions, NaN where it cannot be had, and locations per acquisition."""
    groups = ranks.groupby(level="acquisition")
    sizes = groups.size().to_numpy(np.float64)
    freedom = sizes.sum() - len(sizes)
    if len(sizes) < LEAST_PASSES or freedom < 1:
        return float("nan"), 1.0
    within = float(((ranks - groups.transform("mean")) ** 2).sum()) / freedom
    between = float((sizes * (groups.mean().to_numpy() - ranks.mean()) ** 2).sum()) / (len(sizes) - 1)
    each = float(sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    return (between / within if within > 0 else float("nan")), each
