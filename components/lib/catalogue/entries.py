"""Entries of maps in the catalogue's documents: the few facts of an item that a link carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from components.contract import keys
from components.contract.errors import BadDataError
from components.lib.catalogue.documents import Document, link
from components.lib.catalogue.root import placed
from components.lib.objects.sealed import checked
from components.lib.tasks.names import TaskName

UNKNOWN_TIME = "0000-00"
"""Month of maps without a time."""

TASK = "stormsight:task"
"""Property of a map's item: task of its model. Maps of buildings do not state it."""

_FACTS = "stormsight:map"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapEntry:
    """A map as documents link to it.

    Attributes:
        id: Its id.
        title: Its title.
        time: Begin of the acquisition, or what the item has instead, UTC, ISO 8601; empty if it has none.
        created: Time at which it was made, UTC, ISO 8601; empty if unknown.
        acquisition: Acquisition, or name of the scene, that it is a map of.
        model: Registered model, or folder, that made it.
        version: The model's version, empty for a folder.
        bbox: West, south, east, north, degrees; None where the item has none.
        task: Task of the model: what the map shows.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    title: str
    time: str
    created: str
    acquisition: str
    model: str
    version: str
    bbox: tuple[float, float, float, float] | None
    task: TaskName = "buildings"

    @property
    def month(self) -> str:
        """Return the month of its time, such as ``2026-11``."""
        return self.time[:7] or UNKNOWN_TIME

    def link(self, of: str, prefix: str) -> Document:
        """Return the link to it from the document ``of``."""
        item = placed(keys.map_item_key(self.id), prefix)
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.task == "buildings":  # as links said it before there were maps of roads
            del facts["task"]
        return link("item", item, of=of, title=self.title, **{_FACTS: facts})


def entry_of(item: Mapping[str, Any]) -> MapEntry:
    """Return the entry of a map's item.

    Raises:
        BadDataError: If a field of it has another type.
    """
    properties = item["properties"]
    model = properties.get("stormsight:model")
    made_by = model if isinstance(model, dict) else {}
    found = {
        "id": item.get("id"),
        "title": properties.get("title", item.get("id")),
        "time": properties.get("datetime") or properties.get("start_datetime") or "",
        "created": properties.get("created", ""),
        "acquisition": properties.get("stormsight:acquisition", ""),
        "model": made_by.get("name", ""),
        "version": made_by.get("version", ""),
        "bbox": item.get("bbox"),
        "task": task_of(item),
    }
    return checked(found, MapEntry, name=f"the item {str(item.get('id'))[:100]!r}")


def task_of(item: Mapping[str, Any]) -> TaskName:
    """Return what a map's item is of; one that does not say is of buildings."""
    stated: TaskName = item["properties"].get(TASK, "buildings")
    return stated


def entries_in(document: Mapping[str, Any]) -> list[MapEntry]:
    """Return the entries that a document of a month links to; damaged ones are left out."""
    links, found = document.get("links"), []
    for one in links if isinstance(links, list) else []:
        if isinstance(one, dict) and _FACTS in one:
            try:
                found.append(checked(one[_FACTS], MapEntry, name="a link"))
            except BadDataError:
                continue  # made anew from the item
    return found


def latest_of(maps: Iterable[MapEntry], champions: Mapping[str, str | None]) -> dict[str, MapEntry]:
    """Return the map of buildings of each acquisition that counts: the champion's, else the one made last.

    After a rollback that is a map of the former champion again, although a later one is newer.

    Args:
        maps: All maps.
        champions: Version of the present champion by registered model.
    """

    def rank(entry: MapEntry) -> tuple[bool, str, str]:
        by_champion = bool(entry.version) and champions.get(entry.model) == entry.version
        return by_champion, entry.created, entry.id

    found: dict[str, MapEntry] = {}
    for entry in maps:
        if entry.task != "buildings":
            continue
        known = found.get(entry.acquisition)
        if known is None or rank(entry) > rank(known):
            found[entry.acquisition] = entry
    return found
