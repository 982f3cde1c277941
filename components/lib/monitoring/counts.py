"""Counters and histograms by label: added up, kept as JSON, and added to others.

What housekeeping prunes is added up before, so that a counter never falls (:mod:`.pruned`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from components.lib.monitoring.registry import Kind, Metric, Registry, declared

Labels = tuple[str, ...]

INFINITY = "+Inf"
"""Bound of what is above all buckets, as Prometheus spells it."""


@dataclass(slots=True)
class Distribution:
    """Observations of one histogram under one combination of labels.

    Attributes:
        counts: Observations by the bound of the bucket that they fall into, not added up; infinity included.
        total: Sum of the observations.
    """

    counts: dict[float, int] = field(default_factory=lambda: defaultdict(int))
    total: float = 0.0

    def add(self, bound: float, count: int) -> None:
        """Add observations that are at most ``bound``."""
        self.counts[bound] = self.counts.get(bound, 0) + count

    def cumulative(self, metric: Metric) -> list[tuple[str, float]]:
        """Return the number of observations up to each bound, as Prometheus wants them."""
        bounds = (*metric.buckets, math.inf)
        found, so_far = list[tuple[str, float]](), 0
        for bound in bounds:
            so_far += self.counts.get(bound, 0)
            found.append((INFINITY if bound == math.inf else repr(float(bound)), so_far))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCounts:
    """Counts as JSON values: lists of label values with numbers, by metric.

    Attributes:
        counters: Labels and value of each series.
        histograms: Labels, observations by bound (``+Inf`` included) and their sum, of each series.
    """

    counters: dict[str, list[tuple[list[str], float]]]
    histograms: dict[str, list[tuple[list[str], dict[str, int], float]]]


class Counts:
    """Counters and histograms of a registry.

    Args:
        registry: Declared metrics; by default those of this code.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry or declared()
        self._counters: dict[str, dict[Labels, float]] = defaultdict(dict)
        self._histograms: dict[str, dict[Labels, Distribution]] = defaultdict(dict)

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Add to a counter.

        Raises:
            ValueError: If it is not declared so, or the value is negative or no number.
        """
        key = self._registry.get(name, "counter").key(labels)
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} cannot grow by {value}")
        series = self._counters[name]
        series[key] = series.get(key, 0.0) + value

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add an observation to a histogram.

        Raises:
            ValueError: If it is not declared so, or the value is no number.
        """
        metric = self._registry.get(name, "histogram")
        if not math.isfinite(value):
            raise ValueError(f"{name} cannot hold {value}")
        found = self._histograms[name].setdefault(metric.key(labels), Distribution())
        found.add(_bound(metric, value), 1)
        found.total += value

    def by_label(self, name: str) -> dict[str, float]:
        """Return the values of a counter with one label by that label's value; empty if it has none.

        Raises:
            ValueError: If it is not declared so.
        """
        if len(self._registry.get(name, "counter").labels) != 1:
            raise ValueError(f"{name} has not one label")
        return {key[0]: value for key, value in self._counters.get(name, {}).items()}

    def merge(self, saved: SavedCounts) -> None:
        """Add counts that were kept; those of metrics that are not declared any more are left out.

        Observations that were kept with other buckets fall into the first one that certainly holds them.
        """
        for name, series in saved.counters.items():
            if self._fits(name, "counter", (key for key, _ in series)):
                for labels, value in series:
                    key = tuple(labels)
                    self._counters[name][key] = self._counters[name].get(key, 0.0) + value
        for name, found in saved.histograms.items():
            if self._fits(name, "histogram", (key for key, _, _ in found)):
                metric = self._registry.metrics[name]
                for labels, counts, total in found:
                    own = self._histograms[name].setdefault(tuple(labels), Distribution())
                    own.total += total
                    for bound, count in counts.items():
                        own.add(_bound(metric, float(bound)), count)

    def saved(self) -> SavedCounts:
        """Return the counts as they are kept."""
        return SavedCounts(
            counters={
                name: [(list(key), value) for key, value in sorted(series.items())]
                for name, series in sorted(self._counters.items())
            },
            histograms={
                name: [
                    (list(key), {str(bound): n for bound, n in sorted(one.counts.items())}, one.total)
                    for key, one in sorted(series.items())
                ]
                for name, series in sorted(self._histograms.items())
            },
        )

    def counters(self) -> Iterator[tuple[Metric, Mapping[Labels, float]]]:
        """Yield each counter with its series."""
        for name, series in sorted(self._counters.items()):
            yield self._registry.metrics[name], series

    def histograms(self) -> Iterator[tuple[Metric, Mapping[Labels, Distribution]]]:
        """Yield each histogram with its series."""
        for name, series in sorted(self._histograms.items()):
            yield self._registry.metrics[name], series

    def _fits(self, name: str, kind: Kind, keys: Iterable[list[str]]) -> bool:
        """Return whether kept series are those of a metric that is declared now."""
        metric = self._registry.metrics.get(name)
        return metric is not None and metric.kind == kind and all(len(k) == len(metric.labels) for k in keys)


def _bound(metric: Metric, value: float) -> float:
    """Return the smallest bound of a histogram that is not below a value."""
    return next((bound for bound in metric.buckets if value <= bound), math.inf)
