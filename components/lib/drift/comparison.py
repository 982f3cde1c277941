"""Clustered two-sample test: does an acquisition differ from the reference in any of many statistics?

Tiles overlap and show the same ground, so they are not the units of the test: locations are, ground blocks of
:mod:`components.lib.scoring.blocks`, each with the mean of its tiles. Under the null hypothesis the
acquisition's locations and the reference's were drawn from the same kind of ground and imaged alike, so that
which of them belong to the acquisition is arbitrary: the labels are permuted over locations. Blocks must be
so wide that neighbours are hardly alike. Passes of a sensor differ, too: a difference is judged by the spread
between the reference's acquisitions (:mod:`components.lib.drift.passes`), as far as they tell it.

Each statistic is the difference of the mean ranks over the standard deviation of all ranks: a location with a
strange value cannot hide a shift or make one. A location that lacks a statistic gets the mean rank, whichever
side it is on. Ranks are of all locations together, so no permutation changes them. Over statistics the test
is corrected by the largest of them (max-T, Westfall and Young, Resampling-Based Multiple Testing, 1993,
section 2.3), which heeds their correlation: the probability that *any* statistic is called shifted where none
is does not exceed alpha. P-values of drawn permutations are (b + 1) / (m + 1) (Phipson and Smyth 2010,
Statistical Applications in Genetics and Molecular Biology 9, 39).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata
from scipy.stats import t as student

from components.contract.errors import ParameterError
from components.lib.drift.passes import Passes
from components.lib.drift.records import Shifted

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
"""Probability of a false alarm over all statistics together."""

PERMUTATIONS = 4999
"""Permutations that are drawn."""

LARGEST_GAP = 0.5
"""Share of a side's locations that may lack a statistic before it is left out."""

BLOCK_M = 1000.0
"""Side of the ground blocks, metres: three times the distance over which a town is alike. An acquisition's
blocks lie side by side, unlike drawn ones, so what neighbours share must be small beside what they do not."""

LEAST_LOCATIONS = 2
"""Locations on each side, for a mean and its interval."""

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Outcome of the test.

    Attributes:
        p_value: Smallest adjusted p-value: of the acquisition as a whole.
        alpha: Probability of a false alarm.
        statistics: One entry per statistic tested, the most significant first.
        reference_locations: Locations of the reference that took part.
        acquisition_locations: The same of the acquisition.
        untested: Reason, by statistic, why one took no part.
    """

    p_value: float
    alpha: float
    statistics: tuple[Shifted, ...]
    reference_locations: int
    acquisition_locations: int
    untested: dict[str, str]

    @property
    def drifted(self) -> bool:
        """Return whether the acquisition differs."""
        return self.p_value <= self.alpha

    @property
    def shifted(self) -> tuple[str, ...]:
        """Return the statistics that differ."""
        return tuple(one.statistic for one in self.statistics if one.p_value <= self.alpha)


def by_location(tiles: pd.DataFrame, statistics: Sequence[str]) -> pd.DataFrame:
    """Return the mean of each location's tiles that have a statistic; float64, indexed by ``location``.

    Args:
        tiles: One row per tile, with the column ``location``.
        statistics: Columns to average.
    """
    values = tiles[list(statistics)].astype("float64")
    means: pd.DataFrame = values.groupby(tiles["location"].astype(str)).mean()
    return means


def least_p_value(reference: int, acquisition: int) -> float:
    """Return the smallest p-value that so many locations can give.

    Both groups of equal size mirror each other, so that each division counts twice.
    """
    divisions = comb(reference + acquisition, acquisition)
    return (2 if reference == acquisition else 1) / divisions  # of integers, which may exceed any float


def compare(
    reference: pd.DataFrame,
    acquisition: pd.DataFrame,
    *,
    passes: Passes | None = None,
    alpha: float = ALPHA,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Comparison:
    """Test whether an acquisition differs from the reference.

    Args:
        reference: Statistics of the reference's locations, as :func:`by_location` gives them.
        acquisition: The same of the acquisition. Ground that both have counts as two locations, which makes
            false alarms rarer and shifts harder to find.
        passes: Spread between the reference's acquisitions; None for none beyond that of locations.
        alpha: Probability of a false alarm, over all statistics.
        permutations: Permutations to draw; equal seeds give equal p-values.
        seed: Seed of the permutations.

    Raises:
        ParameterError: If no statistic can be compared, or there are too few locations for any p-value below
            ``alpha``.
    """
    tested, untested = _comparable(reference, acquisition)
    ours, theirs = (side[tested].to_numpy(np.float64) for side in (reference, acquisition))
    _require(tested, (len(ours), len(theirs)), untested, max(alpha, 1.0 / (permutations + 1.0)))
    scaled = _scaled(np.concatenate([ours, theirs]))
    chosen = len(theirs)
    drawn = _largest(scaled, chosen, permutations, np.random.default_rng(seed))
    # Sums in another order differ in their last digits: equal divisions must count as equal.
    inflation = [(passes or Passes()).inflation(name, len(ours), chosen) for name in tested]
    least = np.abs(scaled[-chosen:].sum(axis=0)) / np.sqrt(inflation) * (1.0 - 1e-9)
    p_values = (1.0 + (drawn[:, None] >= least).sum(axis=0)) / (permutations + 1.0)
    rows = [
        _shifted(name, float(p_values[k]), inflation[k], ours[:, k], theirs[:, k])
        for k, name in enumerate(tested)
    ]
    rows.sort(key=lambda row: (row.p_value, -abs(row.effect), row.statistic))
    return Comparison(
        p_value=rows[0].p_value,
        alpha=alpha,
        statistics=tuple(rows),
        reference_locations=len(ours),
        acquisition_locations=len(theirs),
        untested=untested,
    )


def _comparable(reference: pd.DataFrame, acquisition: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Return the statistics that can be tested, and why others cannot."""
    tested, untested = list[str](), dict[str, str]()
    for name in dict.fromkeys([*reference.columns, *acquisition.columns]):
        sides = [
            table[name] if name in table else pd.Series(dtype="float64") for table in (reference, acquisition)
        ]
        gaps = [float(side.isna().mean()) if len(side) else 1.0 for side in sides]
        both = pd.concat([side.dropna() for side in sides])
        if max(gaps) > LARGEST_GAP:
            where = "the reference" if gaps[0] > LARGEST_GAP else "the acquisition"
            untested[str(name)] = f"{where} lacks it at {max(gaps):.0%} of its locations"
        elif min(side.count() for side in sides) < LEAST_LOCATIONS <= min(map(len, sides)):
            untested[str(name)] = f"fewer than {LEAST_LOCATIONS} locations have it"
        elif not np.isfinite(both).all():
            untested[str(name)] = "it is not finite everywhere"
        elif both.nunique() < 2:
            untested[str(name)] = "it is the same everywhere"
        else:
            tested.append(str(name))
    return tested, untested


def _require(
    tested: Sequence[str], locations: tuple[int, int], untested: dict[str, str], alpha: float
) -> None:
    if not tested:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(untested.items())[:3])
        raise ParameterError(
            f"no statistic can be compared ({why or 'the tables have none'})",
            next_step="compare an acquisition of the reference's sensor, measured by the same code",
        )
    ours, theirs = locations
    if min(locations) < LEAST_LOCATIONS or least_p_value(ours, theirs) > alpha:
        raise ParameterError(
            f"{theirs} locations against {ours} of the reference are too few: at least {LEAST_LOCATIONS} on "
            f"each side are needed, and so many that a p-value below {alpha:g} can come out",
            next_step="compare an acquisition of more ground: 4 locations against 4 suffice",
        )


def _scaled(values: Floats) -> Floats:
    """Return the ranks of each statistic with mean 0 and deviation 1; 0 where a location lacks it."""
    ranks = rankdata(values, axis=0, nan_policy="omit")
    ranks -= np.nanmean(ranks, axis=0)
    filled: Floats = np.nan_to_num(ranks / np.nanstd(ranks, axis=0))
    return filled


def _largest(scaled: Floats, chosen: int, permutations: int, rng: np.random.Generator) -> Floats:
    """Return the largest sum over ``chosen`` drawn locations of all statistics, of each permutation.

    All values of a statistic add up to zero, so that the sum over one side is the difference of both means
    but for a factor that all permutations and statistics share.
    """
    found = []
    for start in range(0, permutations, _CHUNK):
        size = min(_CHUNK, permutations - start)
        order = np.argsort(rng.random((size, len(scaled))), axis=1)[:, :chosen]
        picked = np.zeros((size, len(scaled)))
        np.put_along_axis(picked, order, 1.0, axis=1)
        found.append(np.abs(picked @ scaled).max(axis=1))
    return np.concatenate(found)


def _shifted(name: str, p_value: float, inflation: float, ours: Floats, theirs: Floats) -> Shifted:
    """Return one statistic's comparison, with Welch's interval of the difference times the inflation."""
    ours, theirs = ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]
    # A power of two keeps every digit, and squares of numbers up to 1 are finite.
    unit = 2.0 ** (float(np.frexp(np.abs([*ours, *theirs]).max())[1]) - 1.0)
    ours, theirs = ours / unit, theirs / unit
    scale = float(ours.std(ddof=1)) or float(np.concatenate([ours, theirs]).std()) or 1.0
    effect = (float(theirs.mean()) - float(ours.mean())) / scale
    half = _half_width(ours, theirs) * float(np.sqrt(inflation)) / scale
    return Shifted(
        statistic=name,
        p_value=p_value,
        effect=effect,
        low=effect - half,
        high=effect + half,
        reference_mean=float(ours.mean()) * unit,
        acquisition_mean=float(theirs.mean()) * unit,
        inflation=inflation,
    )


def _half_width(ours: Floats, theirs: Floats) -> float:
    """Return half of the 95 % interval of a difference of means (Welch); 0 where neither side varies."""
    parts = [float(side.var(ddof=1)) / len(side) for side in (ours, theirs)]
    whole = sum(parts)
    if whole == 0.0:
        return 0.0
    shares = sum(
        (part / whole) ** 2 / (len(side) - 1) for part, side in zip(parts, (ours, theirs), strict=True)
    )
    return float(student.ppf(0.975, 1.0 / shares) * np.sqrt(whole))
