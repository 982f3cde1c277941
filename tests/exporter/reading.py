"""Values that the exporter tells of a store, as Prometheus' parser reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from components.exporter.parameters import Places
from components.exporter.reading import Reading, read_all
from components.exporter.server import exposition
from components.exporter.sources import Sources
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore

Values = dict[str, float]


def sources_of(
    objects: ObjectStore, root: Path, source: Path, clock: Callable[[], datetime], *, backups: bool = True
) -> Sources:
    """Return sources with a landing place and a place of dumps below ``root``."""
    dumps = FolderObjects(root / "backups") if backups else None
    return Sources(Places(objects, FolderObjects(root / "landing"), dumps, source, None), clock)


def values_of(found: Sources | Reading) -> Values:
    """Return the values by name and labels, written as in a query: ``name{label="value"}``."""
    text = exposition(read_all(found) if isinstance(found, Sources) else found)
    return parsed(text)


def parsed(text: str) -> Values:
    """Return the values of an exposition."""
    values: Values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return values
