"""Means over seeds with intervals over ground blocks.

A method is a list of score tables, one per seed, all on the same tiles. The statistic is taken of each
seed's sums, then averaged over the seeds. The interval covers the sampling of ground for *these* trainings;
the variation between trainings is the spread over the seeds, reported beside it.
"""

from __future__ import annotations

from components.lib.metrics.blocksums import Tables
from components.lib.metrics.intervals import MIN_BLOCKS, Interval, estimates, ratio_interval


def mean_interval(
    tables: Tables, statistic: str, confidence: float = 0.95, *, min_blocks: int = MIN_BLOCKS
) -> Interval:
    """Compute the mean over seeds of a statistic, with its interval over ground blocks.

    Args:
        tables: One score table per seed: ``sensor, image_id, location`` and the counts.
        statistic: A name of ``STATISTICS``.
        confidence: Of the interval, in (0, 1).
        min_blocks: Blocks below which the interval is unknown.

    Raises:
        BadDataError: If there is no table or no tile, or the tables hold other tiles.
        ParameterError: If the statistic is unknown or the confidence is out of range.
    """
    return estimates([tables], statistic, confidence, min_blocks=min_blocks).mean(confidence)


def mean_difference(
    first: Tables,
    second: Tables,
    statistic: str,
    confidence: float = 0.95,
    *,
    min_blocks: int = MIN_BLOCKS,
) -> Interval:
    """Compute the mean over seeds of ``first`` minus that of ``second``, on the same blocks.

    Args:
        first: Score tables of one method, one per seed.
        second: Of the other; the number of seeds may differ.
        statistic: As for :func:`mean_interval`, as are the others.
        confidence: Of the interval, in (0, 1).
        min_blocks: Blocks below which the interval is unknown.

    Raises:
        BadDataError: If a method has no table or no tile, or the tables hold other tiles.
        ParameterError: If the statistic is unknown or the confidence is out of range.
    """
    both = estimates([first, second], statistic, confidence, min_blocks=min_blocks)
    return both.combined([1.0, -1.0], confidence)


def gap_closure(
    reached: Tables,
    start: Tables,
    goal: Tables,
    statistic: str,
    confidence: float = 0.95,
    *,
    min_blocks: int = MIN_BLOCKS,
) -> Interval | None:
    """Compute ``(reached - start) / (goal - start)`` of the means over seeds, with Fieller's interval.

    Gap closure takes student, control and teacher; recovery takes adapted, source-only and oracle.

    Args:
        reached: Score tables of the method in question, one per seed.
        start: Of what it started from.
        goal: Of what it tries to reach.
        statistic: As for :func:`mean_interval`, as are the others.
        confidence: Of the interval, in (0, 1).
        min_blocks: Blocks below which the interval is unknown.

    Returns:
        None where there is no clear gap: ``goal`` is not above ``start`` by its two-sided interval, so that
        the ratio has no bounded one.

    Raises:
        BadDataError: If a method has no table or no tile, or the tables hold other tiles.
        ParameterError: If the statistic is unknown or the confidence is out of range.
    """
    three = estimates([reached, start, goal], statistic, confidence, min_blocks=min_blocks)
    return ratio_interval(three, confidence)
