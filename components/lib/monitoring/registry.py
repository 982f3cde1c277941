"""Registry of our metrics (``metrics.yaml``): nothing can be emitted that is not declared there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from components.contract.documents import nearest, read_yaml
from components.contract.errors import ParameterError
from components.lib.objects.sealed import checked

METRICS_FILE = Path(__file__).with_name("metrics.yaml")

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """Entry of ``metrics.yaml``."""

    type: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Declared metric.

    Attributes:
        name: Name as it is exposed, of a counter with ``_total``.
        kind: Type.
        unit: Unit in words.
        labels: Names of its labels.
        help: Meaning.
        buckets: Upper bounds of a histogram's buckets in ascending order, infinity left out.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    def key(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values of the labels in the declared order.

        Raises:
            ValueError: If the labels are not those that are declared.
        """
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {tuple(labels)}")
        return tuple(labels[name] for name in self.labels)


@dataclass(frozen=True, slots=True)
class Registry:
    """All declared metrics.

    Attributes:
        metrics: By name.
    """

    metrics: Mapping[str, Metric]

    def get(self, name: str, kind: Kind) -> Metric:
        """Return a metric.

        Raises:
            ValueError: If none of this name and type is declared.
        """
        found = self.metrics.get(name)
        if found is None:
            raise ValueError(f"{name} is not declared in metrics.yaml{nearest(name, self.metrics)}")
        if found.kind != kind:
            raise ValueError(f"{name} is declared as {found.kind}, not as {kind}")
        return found


def load_registry(path: Path = METRICS_FILE) -> Registry:
    """Read the declarations.

    Raises:
        ParameterError: If the file is malformed, or a histogram has no ascending buckets.
    """
    document = read_yaml(path)
    found = {}
    for name, entry in document.items():
        declared = checked(entry, _Declared, name=f"{name} in {path.name}")
        ascending = tuple(sorted(set(declared.buckets))) == declared.buckets
        if not ascending or bool(declared.buckets) != (declared.type == "histogram"):
            raise ParameterError(
                f"{name} in {path.name}: a histogram has ascending buckets, and nothing else has any",
                next_step="correct the entry",
            )
        found[name] = Metric(
            name=name,
            kind=declared.type,
            unit=declared.unit,
            labels=declared.labels,
            help=declared.help,
            buckets=declared.buckets,
        )
    return Registry(found)


def markdown(registry: Registry) -> str:
    """Return all metrics as a Markdown table, in the order of the file."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in registry.metrics.values():
        labels = ", ".join(f"`{name}`" for name in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"


@cache
def declared() -> Registry:
    """Return the registry of this code, loaded once."""
    return load_registry()
