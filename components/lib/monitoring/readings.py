"""Values of one reading of the sources: what collectors find, checked against the registry."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)

from components.lib.monitoring.counts import Counts, Labels
from components.lib.monitoring.registry import Registry, declared


class Readings(Counts):
    """Counters, histograms and gauges of one reading; a collector of ``prometheus_client``.

    Args:
        registry: Declared metrics; by default those of this code.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        super().__init__(registry)
        self._declared = registry or declared()
        self._gauges: dict[str, dict[Labels, float]] = defaultdict(dict)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge.

        Raises:
            ValueError: If it is not declared so, or the value is no number.
        """
        key = self._declared.get(name, "gauge").key(labels)
        if not math.isfinite(value):
            raise ValueError(f"{name} cannot be {value}")
        self._gauges[name][key] = float(value)

    def update(self, other: Readings) -> None:
        """Take in what another source found."""
        self.merge(other.saved())
        for name, series in other._gauges.items():
            self._gauges[name].update(series)

    def collect(self) -> Iterator[Family]:
        """Yield the metrics by name, as ``prometheus_client`` exposes them."""
        found: list[Family] = []
        for metric, values in self.counters():
            counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in sorted(values.items()):
                counter.add_metric(labels, value)
            found.append(counter)
        for metric, distributions in self.histograms():
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, one in sorted(distributions.items()):
                histogram.add_metric(labels, one.cumulative(metric), one.total)
            found.append(histogram)
        for name, series in self._gauges.items():
            metric = self._declared.metrics[name]
            gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in sorted(series.items()):
                gauge.add_metric(labels, value)
            found.append(gauge)
        yield from sorted(found, key=lambda family: family.name)
