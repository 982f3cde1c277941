"""False alarms and power of the drift test, from tables of drawn acquisitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, ks_2samp

from components.experiments.drift.drawing import Tables
from components.experiments.drift.shifts import SHIFTS, USUAL, Shift
from components.experiments.drift.world import OFFSET_EAST, OFFSET_RANGE
from components.lib.drift.comparison import ALPHA, Comparison, by_location, compare
from components.lib.drift.passes import passes_of
from components.lib.drift.tiles import STATISTIC

Document = dict[str, Any]

REFERENCE = 5
"""Acquisitions that a reference consists of."""

OUTLINES = (OFFSET_EAST, OFFSET_RANGE)
"""Statistics that only known outlines of buildings give: left out of all shifts that show without them."""

TARGET = 0.9
"""Power at which a size counts as found."""


@dataclass(frozen=True, slots=True)
class Study:
    """Comparisons of drawn acquisitions, each with a reference of other acquisitions, drawn anew for each.

    Attributes:
        tables: The drawn acquisitions.
        nulls: Numbers of those drawn as the reference is.
        repeats: Acquisitions that each shift is applied to, the first of the null ones.
        permutations: Permutations of each test.
        seed: Seed of the references.
    """

    tables: Tables
    nulls: tuple[int, ...]
    repeats: int
    permutations: int
    seed: int

    @classmethod
    def of(cls, tables: Tables, nulls: int, repeats: int, permutations: int, seed: int) -> Study:
        """Return the study of the null acquisitions that are there, of the first ``nulls``."""
        there = [number for number in range(nulls) if tables.path((USUAL, number)).exists()]
        return cls(tables, tuple(there), repeats, permutations, seed)

    def usual(self, number: int) -> pd.DataFrame:
        """Return the tiles of a null acquisition, with its number as ``acquisition``."""
        found = self.tables.read((USUAL, number))
        assert found is not None
        return found.assign(acquisition=str(number))

    def reference(self, number: int) -> pd.DataFrame:
        """Return the tiles of a reference for acquisition ``number``, which is not in it."""
        rng = np.random.default_rng([self.seed, number])
        others = [other for other in self.nulls if other != number]
        chosen = rng.choice(others, size=REFERENCE, replace=False)
        return pd.concat([self.usual(int(other)) for other in chosen], ignore_index=True)

    def null_rates(self) -> list[Document]:
        """Return how often null acquisitions are called drifted, by each test."""
        tests: dict[str, Callable[[pd.DataFrame, pd.DataFrame], bool]] = {
            "locations, max-T": lambda r, a: self._test(r, a, OUTLINES).drifted,
            "locations, max-T, with outlines": lambda r, a: self._test(r, a, ()).drifted,
            "locations, max-T, passes taken for alike": lambda r, a: self._alike(r, a, "location").drifted,
            "tiles as units, max-T": lambda r, a: self._alike(r, a, "image_id").drifted,
            "tiles as units, Kolmogorov-Smirnov, any statistic": lambda r, a: per_tile_ks(r, a) > 0,
            "tiles as units, Kolmogorov-Smirnov, half of them": lambda r, a: per_tile_ks(r, a) >= 0.5,
        }
        alarms: dict[str, list[bool]] = {name: [] for name in tests}
        for number in self.nulls:
            reference, acquisition = self.reference(number), self.usual(number)
            for name, test in tests.items():
                alarms[name].append(test(reference, acquisition))
        return [{"test": name, **rate(found)} for name, found in alarms.items()]

    def power(self, shift: Shift, size: float) -> Document:
        """Return how often a shift of one size is found, and by which statistic most often."""
        alarms, first = list[bool](), list[str]()
        outlines = shift.name == "geolocation"
        for number in self.nulls[: self.repeats]:
            drawn = self.tables.read((shift.imaging(size), number))
            column = shift.column(size)
            if drawn is None or (column is not None and column not in drawn):
                continue  # not drawn yet, or before this size was tried
            shifted = shift.applied(drawn, self.usual(number), size)
            found = self._test(self.reference(number), shifted, () if outlines else OUTLINES)
            alarms.append(found.drifted)
            if found.drifted:
                first.append(found.statistics[0].statistic)
        most = max(sorted(set(first)), key=first.count, default=None)
        return {"shift": shift.name, "unit": shift.unit, "size": size, **rate(alarms), "by": most}

    def _test(self, reference: pd.DataFrame, acquisition: pd.DataFrame, without: Sequence[str]) -> Comparison:
        """Return the test as the command does it."""
        names = _statistics(reference, without)
        sides = (by_location(side, names) for side in (reference, acquisition))
        return compare(*sides, passes=passes_of(reference, names), permutations=self.permutations)

    def _alike(self, reference: pd.DataFrame, acquisition: pd.DataFrame, unit: str) -> Comparison:
        """Return the test of a unit without an estimate of what passes differ by."""
        names = _statistics(reference, OUTLINES)
        # Names of images recur: strips of several acquisitions may begin at the same second.
        sides = (
            by_location(side.assign(location=side["location"] + "/" + side[unit]), names)
            for side in (reference, acquisition)
        )
        return compare(*sides, permutations=self.permutations)


def _statistics(tiles: pd.DataFrame, without: Sequence[str]) -> list[str]:
    """Return the columns of statistics but for some."""
    return [name for name in tiles.columns if name not in without and STATISTIC.fullmatch(name) is not None]


def per_tile_ks(reference: pd.DataFrame, acquisition: pd.DataFrame) -> float:
    """Return the share of statistics that differ between tiles by a Kolmogorov-Smirnov test at 5 %.

    So tests a tool for tables of independent rows by default where rows are few: a column drifts where that
    p-value is below 0.05, the table where at least half of its columns do (Evidently 0.7).
    """
    names = _statistics(acquisition, OUTLINES)
    drifted = [ks_2samp(reference[name], acquisition[name]).pvalue < ALPHA for name in names]
    return float(np.mean(drifted))


def rate(alarms: Sequence[bool]) -> Document:
    """Return a share with its exact 95 % binomial interval (Clopper and Pearson)."""
    if not alarms:
        return {"acquisitions": 0, "alarms": 0, "rate": None, "low": None, "high": None}
    interval = binomtest(sum(alarms), len(alarms)).proportion_ci(0.95)
    return {
        "acquisitions": len(alarms),
        "alarms": int(sum(alarms)),
        "rate": round(sum(alarms) / len(alarms), 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
    }


def study_all(study: Study) -> Document:
    """Return false alarms and power as JSON values."""
    power = [study.power(shift, size) for shift in SHIFTS for size in shift.sizes]
    tiles = study.usual(study.nulls[0])
    return {
        "simulated": True,
        "alpha": ALPHA,
        "tiles": len(tiles),
        "locations": int(np.mean([study.usual(n)["location"].nunique() for n in study.nulls])),
        "reference_acquisitions": REFERENCE,
        "permutations": study.permutations,
        "statistics": len(_statistics(tiles, OUTLINES)),
        "null": study.null_rates(),
        "power": power,
        "found": [_found(shift, power) for shift in SHIFTS],
    }


def _found(shift: Shift, power: Sequence[Document]) -> Document:
    """Return the smallest size from which on every larger one is found with the power aimed at."""
    size = None
    for row in reversed([row for row in power if row["shift"] == shift.name]):
        if row["rate"] is None or row["rate"] < TARGET:
            break
        size = row["size"]
    return {"shift": shift.name, "unit": shift.unit, "power": TARGET, "size": size}
