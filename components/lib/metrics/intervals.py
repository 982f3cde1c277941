"""Intervals of ratios of counts, over ground blocks.

SpaceNet 6 shows every spot about 17 times, so tiles are not independent. The unit is the ground block
(:mod:`components.lib.scoring.blocks`): counts are summed by block, the variance is that of
:mod:`components.lib.metrics.blockvariance`, the quantiles are Student's. Two models are compared on the same
blocks. With fewer than ``MIN_BLOCKS`` blocks there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from components.contract.errors import ParameterError
from components.lib.metrics.blocksums import (
    Floats,
    Tables,
    mean_jackknife,
    require_comparable,
    sizes_of,
    statistic_of,
    sums_by_block,
)
from components.lib.metrics.blockvariance import BlockVariance, block_positions, block_variance

MIN_BLOCKS = 15
"""Blocks below which an interval is not given: with a few, no interval covers as it says."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Value with its interval.

    Attributes:
        value: The statistic of all blocks together.
        low: Lower end of the two-sided interval.
        high: Upper end of the two-sided interval.
        lower_bound: One-sided lower bound at the same confidence.
        confidence: Of the interval and, one-sided, of the bound.
        locations: Number of ground blocks that hold something to count.
        degenerate: True where there are too few blocks: the interval is unknown, and the ends, which equal
            the value, must not be shown.
        standard_error: Square root of the variance.
        freedom: Degrees of freedom of Student's quantiles.
    """

    value: float
    low: float
    high: float
    lower_bound: float
    confidence: float
    locations: int
    degenerate: bool
    standard_error: float = 0.0
    freedom: float = 0.0

    def lower_at(self, level: float) -> float:
        """Return the one-sided lower bound that errs with probability ``level``; -inf if unknown."""
        if self.degenerate:
            return -math.inf
        if not self.standard_error:
            return self.value
        return self.value - float(special.stdtrit(self.freedom, 1.0 - level)) * self.standard_error

    def chance_of_less(self, limit: float) -> float:
        """Return the p-value of the test that the true value is not below ``limit``; 1 if unknown."""
        if self.degenerate or not self.standard_error:
            return float(self.degenerate or self.value >= limit)
        return float(special.stdtr(self.freedom, (self.value - limit) / self.standard_error))

    def with_variance(self, variance: float) -> Interval:
        """Return the interval with an independent variance added, degrees of freedom unchanged."""
        if self.degenerate:
            return self
        total = self.standard_error**2 + variance
        return _interval(
            self.value,
            total,
            self.freedom,
            confidence=self.confidence,
            locations=self.locations,
        )

    def as_dict(self) -> dict[str, float | int | bool | None]:
        """Return the fields by name, ready for JSON; an unknown interval's ends are None."""
        unknown = ("low", "high", "lower_bound", "standard_error", "freedom") if self.degenerate else ()
        return {**asdict(self), **dict.fromkeys(unknown)}


@dataclass(frozen=True, slots=True)
class Estimates:
    """Means of a statistic over the tables of several methods, and what they vary with.

    Attributes:
        values: One per method, (methods,).
        deviations: Value of all blocks minus value without each, (methods, blocks).
        variance: Variance estimate over the blocks; None if there are too few.
        locations: Number of blocks.
    """

    values: Floats
    deviations: Floats
    variance: BlockVariance | None
    locations: int

    def mean(self, confidence: float) -> Interval:
        """Return the interval of the only method's value, cut to 0 and 1 as every such ratio is."""
        found = self.combined([1.0], confidence)
        return replace(
            found,
            low=max(found.low, 0.0),
            high=min(found.high, 1.0),
            lower_bound=max(found.lower_bound, 0.0),
        )

    def combined(self, weights: Sequence[float], confidence: float) -> Interval:
        """Return the interval of a weighted sum of the values."""
        w = np.asarray(weights, dtype=np.float64)
        value, deviation = float(w @ self.values), w @ self.deviations
        if self.variance is None:
            return unknown_interval(value, confidence, self.locations)
        return _interval(
            value,
            float(self.variance.covariance(deviation, deviation)),
            self.variance.freedom,
            confidence=confidence,
            locations=self.locations,
        )


def location_interval(
    tables: pd.DataFrame, statistic: str, confidence: float = 0.95, *, min_blocks: int = MIN_BLOCKS
) -> Interval:
    """Compute a statistic of a score table with its interval over ground blocks.

    Args:
        tables: Rows of tile and block: ``sensor, image_id, location`` (the block) and the counts
            (``COUNTS``) that the statistic needs.
        statistic: A name of ``STATISTICS``.
        confidence: Of the interval, in (0, 1).
        min_blocks: Blocks below which the interval is unknown.

    Raises:
        BadDataError: If there is no row, or a location is no ground block.
        ParameterError: If the statistic is unknown or the confidence is out of range.
    """
    return estimates([[tables]], statistic, confidence, min_blocks=min_blocks).mean(confidence)


def paired_location_difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    statistic: str,
    confidence: float = 0.95,
    *,
    min_blocks: int = MIN_BLOCKS,
) -> Interval:
    """Compute the statistic of ``a`` minus that of ``b`` on the same tiles, with its interval.

    Args:
        a: Score table of one model (the challenger), as for :func:`location_interval`.
        b: Score table of the other (the champion), with the same tiles and blocks in any order.
        statistic: A name of ``STATISTICS``.
        confidence: Of the interval, in (0, 1).
        min_blocks: Blocks below which the interval is unknown.

    Raises:
        BadDataError: If the tables hold other tiles, there is no row, or a location is no ground block.
        ParameterError: If the statistic is unknown or the confidence is out of range.
    """
    both = estimates([[a], [b]], statistic, confidence, min_blocks=min_blocks)
    return both.combined([1.0, -1.0], confidence)


def estimates(
    methods: Sequence[Tables], statistic: str, confidence: float = 0.95, *, min_blocks: int = MIN_BLOCKS
) -> Estimates:
    """Compute per method the mean of a statistic over its tables, and the covariance of these means.

    Args:
        methods: Score tables by method, all on the same tiles and blocks.
        statistic: A name of ``STATISTICS``.
        confidence: Of the intervals to come, checked here.
        min_blocks: Blocks below which the covariance is unknown.

    Raises:
        BadDataError: If a method has no table or no row, the tables hold other tiles, or a location is no
            ground block.
        ParameterError: If the statistic is unknown or the confidence is out of range.
    """
    of = statistic_of(statistic)
    if not 0.0 < confidence < 1.0:
        raise ParameterError(
            f"confidence {confidence} must lie between 0 and 1", next_step="use for instance confidence 0.95"
        )
    require_comparable(methods)
    sums = [[sums_by_block(table) for table in tables] for tables in methods]
    found = [mean_jackknife(tables, of) for tables in sums]
    values = np.array([value for value, _ in found])
    # A block may hold nothing but one model's false alarms.
    sizes = np.mean([sizes_of(of, table) for tables in sums for table in tables], axis=0)
    filled = sizes > 0
    deviations = np.array([value - left for value, left in found])[:, filled]
    blocks = int(filled.sum())
    if blocks < max(min_blocks, 2):
        return Estimates(values, deviations, None, blocks)
    positions = block_positions(sums[0][0].index[filled])
    return Estimates(values, deviations, block_variance(positions, sizes[filled]), blocks)


def unknown_interval(value: float, confidence: float, locations: int) -> Interval:
    """Return a value whose interval is unknown, for want of blocks."""
    return Interval(value, value, value, value, confidence, locations, degenerate=True)


def ratio_interval(of: Estimates, confidence: float) -> Interval | None:
    """Return ``(a - b) / (c - b)`` of three methods' means with Fieller's interval.

    Fieller (J. R. Statist. Soc. B 16, 1954): all ratios r for which (a - b) - r (c - b) does not differ
    from zero.

    Args:
        of: Estimates of the methods a, b and c.
        confidence: Of the interval, in (0, 1).

    Returns:
        None where c does not clearly exceed b, so that no interval is bounded.
    """
    contrasts = np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]])
    top, gap = (contrasts @ of.values).tolist()
    if gap <= 0.0:
        return None
    ratio = top / gap
    if of.variance is None:
        return unknown_interval(ratio, confidence, of.locations)
    x, y = contrasts @ of.deviations
    freedom = of.variance.freedom
    var_top, both, var_gap = (float(of.variance.covariance(*pair)) for pair in ((x, x), (x, y), (y, y)))

    def ends(quantile: float) -> tuple[float, float] | None:
        squared = float(special.stdtrit(freedom, quantile)) ** 2
        leading, middle = gap**2 - squared * var_gap, top * gap - squared * both
        if leading <= 0.0:
            return None
        root = math.sqrt(max(middle**2 - leading * (top**2 - squared * var_top), 0.0))
        return (middle - root) / leading, (middle + root) / leading

    two, one = ends((1.0 + confidence) / 2.0), ends(confidence)
    if two is None or one is None:
        return None
    deviation = (x - ratio * y) / gap
    return Interval(
        ratio,
        *two,
        one[0],
        confidence,
        of.locations,
        degenerate=False,
        standard_error=math.sqrt(max(float(of.variance.covariance(deviation, deviation)), 0.0)),
        freedom=freedom,
    )


def detectable_difference(standard_error: float, freedom: float, *, level: float, power: float) -> float:
    """Return the true difference that a one-sided test finds with the given power.

    Args:
        standard_error: Of the estimated difference.
        freedom: Degrees of freedom of the standard error.
        level: Probability that the test errs where there is no difference.
        power: Probability of finding the difference, in (0, 1).
    """
    critical = float(special.stdtrit(freedom, 1.0 - level))
    return float(special.nctdtrinc(freedom, 1.0 - power, critical)) * standard_error


def _interval(
    value: float, variance: float, freedom: float, *, confidence: float, locations: int
) -> Interval:
    error = math.sqrt(max(variance, 0.0))  # the form is positive semidefinite but for rounding
    plain = Interval(value, value, value, value, confidence, locations, False, error, freedom)
    wide = float(special.stdtrit(freedom, (1.0 + confidence) / 2.0)) * error
    return replace(plain, low=value - wide, high=value + wide, lower_bound=plain.lower_at(1.0 - confidence))
