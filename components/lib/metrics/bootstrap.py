"""Intervals by resampling locations.

SpaceNet 6 shows every spot about 17 times, so tiles are not independent and an interval over tiles would be
far too narrow. Here the unit that is drawn is the location: its tiles' counts are summed first, then
locations are drawn with replacement (multinomial weights) and the statistic is taken of the weighted sums.
All resamples are one matrix product. Intervals are percentile intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.contract.errors import BadDataError, ParameterError
from components.lib.metrics import counts

Floats: TypeAlias = NDArray[np.float64]

COUNTS = ("px_tp", "px_fp", "px_fn", "px_tn", "tp", "fp", "fn")
"""Columns of a tile table that statistics are made of; a statistic may use those that are present."""

Tables: TypeAlias = Sequence[pd.DataFrame]
"""Score tables of one method, one per seed."""

Statistic: TypeAlias = Callable[[Mapping[str, Floats]], Floats]
"""From summed counts by name, each (R,), to values (R,)."""


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "iou": lambda n: counts.iou(n["px_tp"], n["px_fp"], n["px_fn"]),
        "px_f1": lambda n: counts.f1(n["px_tp"], n["px_fp"], n["px_fn"]),
        "px_precision": lambda n: counts.precision(n["px_tp"], n["px_fp"]),
        "px_recall": lambda n: counts.recall(n["px_tp"], n["px_fn"]),
        "f1": lambda n: counts.f1(n["tp"], n["fp"], n["fn"]),
        "precision": lambda n: counts.precision(n["tp"], n["fp"]),
        "recall": lambda n: counts.recall(n["tp"], n["fn"]),
    }
)
"""Pixel IoU/F1/precision/recall and SpaceNet F1/precision/recall by name."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Value with its percentile interval.

    Attributes:
        value: The statistic of all locations, each once.
        low: Lower end of the two-sided interval.
        high: Upper end of the two-sided interval.
        lower_bound: One-sided lower bound at the same confidence (what a gate asks for).
        confidence: Of the interval and, one-sided, of the bound.
        locations: Number of locations drawn from.
        degenerate: True where there is one location only: nothing can be resampled, so the ends equal the
            value and say nothing about uncertainty.
    """

    value: float
    low: float
    high: float
    lower_bound: float
    confidence: float
    locations: int
    degenerate: bool

    def as_dict(self) -> dict[str, float | int | bool]:
        """Return the fields by name, ready for JSON."""
        return asdict(self)


def location_interval(
    tiles: pd.DataFrame,
    statistic: str | Statistic,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Compute a statistic of a tile table with its interval over locations.

    Args:
        tiles: One row per tile: ``location`` and the counts the statistic needs (``COUNTS``).
        statistic: A name of ``STATISTICS``, or a function of summed counts.
        confidence: Of the interval, in (0, 1).
        resamples: Bootstrap draws.
        seed: Of the draws.

    Raises:
        BadDataError: If there is no tile.
        ParameterError: If the statistic is unknown or the settings are out of range.
    """
    (values,), locations = resampled([[tiles]], statistic, confidence, resamples, seed)
    return percentile_interval(values[:1], values[1:], confidence, locations)


def paired_location_difference(  # noqa: PLR0917 - the same order as location_interval
    a: pd.DataFrame,
    b: pd.DataFrame,
    statistic: str | Statistic,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Compute the statistic of ``a`` minus that of ``b`` on the same tiles, from the same draws of locations.

    Args:
        a: Tile table of one model (the challenger): ``sensor, image_id, location`` and counts.
        b: Tile table of the other (the champion), with the same tiles in any order.
        statistic: A name of ``STATISTICS``, or a function of summed counts.
        confidence: Of the interval, in (0, 1).
        resamples: Bootstrap draws.
        seed: Of the draws.

    Raises:
        BadDataError: If the tables hold other tiles or there is none.
        ParameterError: If the statistic is unknown or the settings are out of range.
    """
    (first, second), locations = resampled([[a], [b]], statistic, confidence, resamples, seed)
    return percentile_interval(first[:1] - second[:1], first[1:] - second[1:], confidence, locations)


def resampled(
    methods: Sequence[Tables], statistic: str | Statistic, confidence: float, resamples: int, seed: int
) -> tuple[list[Floats], int]:
    """Compute per method the mean over its tables, (1 + resamples,): all locations once, then the draws.

    Every draw takes the same locations for all tables; also returned is their number.
    """
    of = statistic_of(statistic)
    if not all(methods):
        raise BadDataError("a method has no score table", next_step="score at least one seed of each method")
    reference, *others = chain.from_iterable(methods)
    for table in others:
        require_same_tiles(reference, table)
    locations = len(sums_by_location(reference))
    weights = np.vstack([np.ones((1, locations)), draw_weights(locations, confidence, resamples, seed)])
    means = [
        # Sums are sorted by location, so the weights fit every table.
        np.mean([of(weighted_sums(weights, sums_by_location(table))) for table in tables], axis=0)
        for tables in methods
    ]
    return means, locations


def statistic_of(statistic: str | Statistic) -> Statistic:
    """Return the function of that name, or the function itself."""
    if callable(statistic):
        return statistic
    if statistic not in STATISTICS:
        raise ParameterError(
            f"unknown statistic {statistic!r}", next_step=f"use one of {', '.join(STATISTICS)}"
        )
    return STATISTICS[statistic]


def sums_by_location(tiles: pd.DataFrame) -> pd.DataFrame:
    """Sum counts per location, sorted by it."""
    if tiles.empty:
        raise BadDataError(
            "there is no tile to take an interval over",
            next_step="check that the split leaves test tiles (data/prepared/index.parquet)",
        )
    present = [name for name in COUNTS if name in tiles.columns]
    return tiles.groupby("location", sort=True)[present].sum()


def draw_weights(locations: int, confidence: float, resamples: int, seed: int) -> Floats:
    """(resamples, locations) multinomial weights: how often each location is drawn."""
    if not (0.0 < confidence < 1.0 and resamples >= 1):
        raise ParameterError(
            f"confidence {confidence} and resamples {resamples} must be within (0, 1) and at least 1",
            next_step="use for instance confidence 0.95 and resamples 1000",
        )
    rng = np.random.default_rng(seed)
    return rng.multinomial(locations, np.full(locations, 1.0 / locations), size=resamples).astype(np.float64)


def weighted_sums(weights: Floats, sums: pd.DataFrame) -> dict[str, Floats]:
    """Sum counts by name, (R,), with weights (R, locations)."""
    totals = weights @ sums.to_numpy(dtype=np.float64)
    return {str(name): totals[:, k] for k, name in enumerate(sums.columns)}


def percentile_interval(value: Floats, sampled: Floats, confidence: float, locations: int) -> Interval:
    """Return the interval of a value (1,) from its resamples (R,)."""
    tail = (1.0 - confidence) / 2.0
    low, high, bound = np.quantile(sampled, [tail, 1.0 - tail, 1.0 - confidence])
    return Interval(
        value=float(value[0]),
        low=float(low),
        high=float(high),
        lower_bound=float(bound),
        confidence=confidence,
        locations=locations,
        degenerate=locations == 1,
    )


def require_same_tiles(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Check that two tables score the same tiles, in any order."""
    keys = ["sensor", "image_id", "location"]
    first, second = (frame[keys].sort_values(keys).reset_index(drop=True) for frame in (a, b))
    if not first.equals(second):
        raise BadDataError(
            f"the two score tables hold other tiles ({len(first)} and {len(second)} rows)",
            next_step="score both models on the same rows of the same store",
        )
