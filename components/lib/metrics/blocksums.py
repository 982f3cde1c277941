"""Sums of score tables by ground block, the statistics that are made of them, and leaving one block out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.contract.errors import BadDataError, ParameterError
from components.lib.metrics import counts

Floats: TypeAlias = NDArray[np.float64]

PIXELS = ("px_tp", "px_fp", "px_fn", "px_tn")
BUILDINGS = ("tp", "fp", "fn")
ROADS = ("road_px", "road_near_px", "proposed_px", "proposed_near_px", "apls_sum", "apls_tiles")
"""Sums of whole tiles of roads (:mod:`components.lib.scoring.road_sums`)."""
COUNTS = (*PIXELS, *BUILDINGS, *ROADS)
"""Columns of a score table that statistics are made of; a table may lack those that no statistic needs."""

Tables: TypeAlias = Sequence[pd.DataFrame]
"""Score tables of one method, one per training."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """Ratio of summed counts.

    Attributes:
        counted: Columns whose sum is the size of a block for this statistic.
        of: Function from summed counts by name, arrays of one shape, to values of that shape.
    """

    counted: tuple[str, ...]
    of: Callable[[Mapping[str, Floats]], Floats]

    def __call__(self, sums: Mapping[str, Floats]) -> Floats:
        """Return the statistic of summed counts."""
        return self.of(sums)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "iou": Statistic(PIXELS, lambda n: counts.iou(n["px_tp"], n["px_fp"], n["px_fn"])),
        "px_f1": Statistic(PIXELS, lambda n: counts.f1(n["px_tp"], n["px_fp"], n["px_fn"])),
        "px_precision": Statistic(PIXELS, lambda n: counts.precision(n["px_tp"], n["px_fp"])),
        "px_recall": Statistic(PIXELS, lambda n: counts.recall(n["px_tp"], n["px_fn"])),
        "f1": Statistic(BUILDINGS, lambda n: counts.f1(n["tp"], n["fp"], n["fn"])),
        "precision": Statistic(BUILDINGS, lambda n: counts.precision(n["tp"], n["fp"])),
        "recall": Statistic(BUILDINGS, lambda n: counts.recall(n["tp"], n["fn"])),
        "relaxed_f1": Statistic(
            ROADS[:4],
            lambda n: counts.relaxed_f1(
                n["road_px"], n["road_near_px"], n["proposed_px"], n["proposed_near_px"]
            ),
        ),
        "apls": Statistic(("apls_tiles",), lambda n: counts.mean_of(n["apls_sum"], n["apls_tiles"])),
    }
)
"""Pixel IoU/F1/precision/recall, SpaceNet F1/precision/recall, relaxed F1 of roads and mean APLS by name."""


def statistic_of(name: str) -> Statistic:
    """Return the statistic of that name.

    Raises:
        ParameterError: If there is none.
    """
    if name not in STATISTICS:
        raise ParameterError(f"unknown statistic {name!r}", next_step=f"use one of {', '.join(STATISTICS)}")
    return STATISTICS[name]


def sums_by_block(tables: pd.DataFrame) -> pd.DataFrame:
    """Return the counts summed by ground block (column ``location``), sorted by it.

    Raises:
        BadDataError: If there is no row.
    """
    if tables.empty:
        raise BadDataError(
            "there is no tile to take an interval over",
            next_step="check that the split leaves test tiles (data/prepared/index.parquet)",
        )
    present = [name for name in COUNTS if name in tables.columns]
    return tables.groupby("location", sort=True)[present].sum()


def sizes_of(statistic: Statistic, sums: pd.DataFrame) -> Floats:
    """Return the size of every block for a statistic, (blocks,): all pixels, or all buildings."""
    present = [name for name in statistic.counted if name in sums.columns]
    return sums[present].sum(axis=1).to_numpy(dtype=np.float64)


def jackknife(statistic: Statistic, sums: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Compute a statistic of all blocks, and of all but one.

    Args:
        statistic: Ratio of summed counts.
        sums: Counts by name, (blocks, ...).

    Returns:
        The statistic of all blocks (...), and of all but each block (blocks, ...).
    """
    totals = {name: values.sum(axis=0) for name, values in sums.items()}
    return statistic(totals), statistic({name: totals[name] - values for name, values in sums.items()})


def mean_jackknife(sums: Sequence[pd.DataFrame], statistic: Statistic) -> tuple[float, Floats]:
    """Compute the mean over trainings of a statistic, of all blocks and of all but each block (blocks,).

    Args:
        sums: Counts by block, one table per training, from :func:`sums_by_block`.
        statistic: Ratio of summed counts.
    """
    parts = [jackknife(statistic, _arrays(table)) for table in sums]
    return float(np.mean([value for value, _ in parts])), np.mean([left for _, left in parts], axis=0)


def _arrays(sums: pd.DataFrame) -> dict[str, Floats]:
    return {str(name): sums[name].to_numpy(dtype=np.float64) for name in sums}


def require_comparable(methods: Sequence[Tables]) -> None:
    """Check that every method has a table and all tables score the same tiles.

    Raises:
        BadDataError: If a method has none, or the tables hold other tiles.
    """
    if not all(methods):
        raise BadDataError("a method has no score table", next_step="score at least one seed of each method")
    reference, *others = chain.from_iterable(methods)
    for table in others:
        require_same_tiles(reference, table)


def require_same_tiles(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Check that two tables score the same parts of the same tiles, in any order.

    Raises:
        BadDataError: If they do not.
    """
    keys = ["sensor", "image_id", "location"]
    first, second = (frame[keys].sort_values(keys).reset_index(drop=True) for frame in (a, b))
    if not first.equals(second):
        raise BadDataError(
            f"the two score tables hold other tiles ({len(first)} and {len(second)} rows)",
            next_step="score both models on the same rows of the same store",
        )
