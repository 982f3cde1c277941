"""Published maps and comparisons, from their STAC items; an item never changes, so each is read once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from components.contract.errors import StormsightError
from components.contract.keys import ITEM, MAP_ITEMS
from components.exporter.sources import Sources
from components.lib.catalogue.mapped import MapFacts, read_map
from components.lib.monitoring.readings import Readings
from components.lib.objects.protocol import map_many

KINDS = ("added", "removed", "enlarged")
"""Kinds of changed buildings that are counted."""


def collect_maps(sources: Sources, readings: Readings) -> None:
    """Count maps, their area, changed buildings, and the time from registration to map.

    Raises:
        BadDataError: If an item is damaged; nothing is told then, for a count without it would be wrong.
        SourceUnavailableError: If the store does not answer.
    """
    found = _facts(sources)
    maps = [facts for key, facts in found.items() if not _is_of_changes(key)]
    readings.add("stormsight_maps_total", len(maps))
    readings.add("stormsight_map_area_square_kilometres_total", sum(facts.area for facts in maps))
    for kind in KINDS:
        changed = sum(facts.changes.get(kind, 0) for facts in found.values())
        readings.add("stormsight_changed_buildings_total", changed, kind=kind)
    created = [facts.created for facts in maps if facts.created is not None]
    if created:
        readings.set("stormsight_map_last_timestamp_seconds", max(created).timestamp())
    for waited in _waits(maps, sources.state.times):
        readings.observe("stormsight_landing_to_map_seconds", waited)


def _waits(maps: list[MapFacts], registered: Mapping[str, datetime]) -> list[float]:
    """Return the seconds from each mapped acquisition's registration to its first map."""
    first: dict[str, datetime] = {}
    for facts in maps:
        if facts.created is not None and facts.acquisition in registered:
            earlier = first.get(facts.acquisition, facts.created)
            first[facts.acquisition] = min(earlier, facts.created)
    return [max(0.0, (made - registered[name]).total_seconds()) for name, made in sorted(first.items())]


def _facts(sources: Sources) -> dict[str, MapFacts]:
    """Return the facts of all items by key; those that are known are not read again."""
    objects, known = sources.places.objects, sources.maps
    items = [info.key for info in objects.list(MAP_ITEMS) if info.key.endswith(f"/{ITEM}")]
    new = [key for key in items if key not in known]

    def read(key: str) -> MapFacts | StormsightError:
        try:
            return read_map(objects, key)
        except StormsightError as error:
            return error

    for key, found in zip(new, map_many(objects, read, new), strict=True):
        if isinstance(found, StormsightError):
            raise found
        known[key] = found
    return {key: known[key] for key in items}


def _is_of_changes(key: str) -> bool:
    return key.endswith(f"/changes/{ITEM}")
