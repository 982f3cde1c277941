"""Means over seeds with intervals by location.

A method is a list of score tables, one per seed, all on the same tiles. Each draw takes the same locations
for every seed and every method: counts are summed per seed, the statistic is taken of each seed's sums, then
averaged over the seeds. The interval covers the sampling of locations for *these* trainings; the variation
between trainings is the spread over the seeds, reported beside it.
"""

from __future__ import annotations

import numpy as np

from components.lib.metrics.bootstrap import Interval, Statistic, Tables, percentile_interval, resampled


def mean_interval(
    tables: Tables,
    statistic: str | Statistic,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The mean over seeds of a statistic, with its interval over locations.

    Args:
        tables: One tile table per seed: ``sensor, image_id, location`` and the counts.
        statistic: A name of ``STATISTICS``, or a function of summed counts.
        confidence: Of the interval, in (0, 1).
        resamples: Bootstrap draws.
        seed: Of the draws.

    Raises:
        BadDataError: If there is no table or no tile, or the tables hold other tiles.
        ParameterError: If the statistic is unknown or the settings are out of range.
    """
    (means,), locations = resampled([tables], statistic, confidence, resamples, seed)
    return percentile_interval(means[:1], means[1:], confidence, locations)


def mean_difference(  # noqa: PLR0917 - the same order as mean_interval
    first: Tables,
    second: Tables,
    statistic: str | Statistic,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Mean over seeds of ``first`` minus that of ``second``, every draw using the same locations for both.

    Args:
        first: Tile tables of one method, one per seed.
        second: Of the other; the number of seeds may differ.
        statistic: As for :func:`mean_interval`, as are the others.
        confidence: Of the interval, in (0, 1).
        resamples: Bootstrap draws.
        seed: Of the draws.

    Raises:
        BadDataError: If a method has no table or no tile, or the tables hold other tiles.
        ParameterError: If the statistic is unknown or the settings are out of range.
    """
    (a, b), locations = resampled([first, second], statistic, confidence, resamples, seed)
    return percentile_interval(a[:1] - b[:1], a[1:] - b[1:], confidence, locations)


def gap_closure(  # noqa: PLR0917 - the same order as mean_difference
    reached: Tables,
    start: Tables,
    goal: Tables,
    statistic: str | Statistic,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """``(reached - start) / (goal - start)`` of the means over seeds, from the same draws.

    Gap closure takes student, control and teacher; recovery takes adapted, source-only and oracle.

    Args:
        reached: Tile tables of the method in question, one per seed.
        start: Of what it started from.
        goal: Of what it tries to reach.
        statistic: As for :func:`mean_interval`, as are the others.
        confidence: Of the interval, in (0, 1).
        resamples: Bootstrap draws.
        seed: Of the draws.

    Returns:
        None where there is no clear gap: ``goal`` is not above ``start`` on all locations, or not in more
        than one tail's share of the draws, so that the ratio has no bounded interval.

    Raises:
        BadDataError: If a method has no table or no tile, or the tables hold other tiles.
        ParameterError: If the statistic is unknown or the settings are out of range.
    """
    (a, b, c), locations = resampled([reached, start, goal], statistic, confidence, resamples, seed)
    gained, gap = a - b, c - b
    open_gap = gap > 0
    if not open_gap[0] or np.mean(~open_gap[1:]) > (1.0 - confidence) / 2.0:
        return None
    ratios = np.divide(gained, gap, out=np.zeros_like(gap), where=open_gap)
    # The few draws without a gap are unbounded; as they fill at most one tail, its end stays finite.
    low, high = ratios[open_gap].min(), ratios[open_gap].max()
    ratios[~open_gap] = np.where(gained[~open_gap] > 0, high, low)
    return percentile_interval(ratios[:1], ratios[1:], confidence, locations)
