"""STAC catalogue over maps: items that are created once, and documents made anew from them.

A map's files lie below a hash of their own bytes, so that two mappers of one map never mix their files; whose
item is created first has made the map. The documents link to the items by months of their scenes. They are
written after the items, and from what is there: they never name a map that is not, and what a killed process,
or an older state of a slower one, left out is added by the next.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from components.contract import keys
from components.contract.documents import shown
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.hashing import canonical_json, sha256_json
from components.lib.catalogue.documents import (
    WORLD,
    Document,
    catalog,
    collection,
    get_bounded,
    link,
    read_item,
    sealed,
    write_until_settled,
)
from components.lib.catalogue.entries import MapEntry, entries_in, entry_of, latest_of
from components.lib.catalogue.publishing import assets_below, create_once, hashes_of
from components.lib.catalogue.root import placed, refresh_root
from components.lib.objects.protocol import ObjectStore, map_many

LOG = logging.getLogger(__name__)

NAME = "maps"
"""Id of the collection of maps."""

LARGEST_DOCUMENT = 256 << 20
"""Bytes of a document of links at most."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_OWN_LINKS = {"self", "root", "parent", "collection"}


class Catalogue:
    """Catalogue of maps in an object store or a folder.

    Args:
        objects: The store.
        prefix: Prefix of the catalogue; empty for the store's root.
    """

    def __init__(self, objects: ObjectStore, prefix: str = keys.MAPS) -> None:
        self._objects = objects
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def has(self, map_id: str) -> bool:
        """Return whether the map is in the catalogue."""
        return self._objects.exists(self._item_key(map_id))

    def add_map(
        self,
        item: Mapping[str, Any] | bytes,
        files: Mapping[str, Path],
        map_id: str,
        *,
        acquisition: str | None = None,
    ) -> bool:
        """Publish a map: its files, then its item, unless there is one already.

        Args:
            item: STAC item whose assets have addresses ``./NAME`` of the files.
            files: Files by name, without the item.
            map_id: Id of the map; the item gets it.
            acquisition: Registered acquisition that it is a map of; by default the item's former id.

        Returns:
            True if this call has made the map; False if another mapper was first, whose map stays as it is.

        Raises:
            BadDataError: If the item is none, or a file is not the one that it states.
            ParameterError: If the item names a file that is not given, or the id is no name.
            SourceUnavailableError: If the store does not answer.
        """
        key = self._item_key(map_id)
        if self._objects.exists(key):
            return False
        given = item if isinstance(item, bytes) else json.dumps(item, allow_nan=False).encode()
        wanted = read_item(given, name=f"the item of map {map_id}")
        hashes = hashes_of(wanted, files, f"map {map_id}")
        folder = f"{placed(keys.map_prefix(map_id), self._prefix)}{sha256_json(hashes)[:16]}/"
        own = self._published(wanted, key, folder, map_id, acquisition)
        return create_once(self._objects, key, own, files, folder)

    def item(self, map_id: str) -> Document:
        """Return the STAC item of a map.

        Raises:
            MissingInputError: If there is no such map.
            BadDataError: If the item is damaged.
        """
        key = self._item_key(map_id)
        return read_item(get_bounded(self._objects, key), name=f"{self._objects.uri}/{key}")

    def rebuild(self, *, whole: bool = False) -> int:
        """Write the documents of the catalogue anew; return the number of maps.

        Args:
            whole: Read every item; by default those that no document has yet.

        Raises:
            SourceUnavailableError: If the store does not answer.
        """
        known = {} if whole else {entry.id: entry for entry in self.maps()}
        state = write_until_settled(lambda: self._entries(known), self._write)
        refresh_root(self._objects, self._prefix)
        return len(state)

    def maps(self) -> list[MapEntry]:
        """Return the maps that the documents link to, by month and id."""
        return [entry for month in self._months() for entry in entries_in(self._document(month))]

    def latest(self) -> dict[str, MapEntry]:
        """Return the map of each acquisition that counts now; see :func:`latest_of`."""
        champions = {}
        for model in self._objects.folders(placed(keys.MAP_MODELS, self._prefix)):
            found = self._json(placed(keys.model_collection_key(model), self._prefix))
            champions[model] = found.get("stormsight:champion")
        return latest_of(self.maps(), champions)

    def _published(
        self, item: Document, key: str, folder: str, map_id: str, acquisition: str | None
    ) -> Document:
        """Return the item as it is published: its id, its seal, its place among the documents."""
        properties = {
            **item["properties"],
            "stormsight:scene": item.get("id"),
            "stormsight:acquisition": acquisition or item.get("id"),
        }
        assets = assets_below(item, folder.removeprefix(key.removesuffix(keys.ITEM)))
        own: Document = {**item, "id": map_id, "collection": NAME, "properties": properties, "assets": assets}
        entry = entry_of(own)
        above = placed(keys.MAPS_COLLECTION, self._prefix)
        links = [
            link("root", placed(keys.MAPS_CATALOG, self._prefix), of=key),
            link("parent", placed(keys.map_month_key(entry.month), self._prefix), of=key),
            link("collection", above, of=key),
            *(self._moved(one, key) for one in item.get("links", []) if self._is_kept(one)),
        ]
        return sealed({**own, "links": links})

    def _is_kept(self, one: Document) -> bool:
        """Return whether a link stays: not to documents of another catalogue, nor to a file of this machine.

        The item says the name, version and hash of a model whose link is left out.
        """
        href = str(one.get("href"))
        here = href.startswith("file:") and not href.startswith(f"{self._objects.uri}/")
        return one.get("rel") not in _OWN_LINKS and not here

    def _moved(self, one: Document, key: str) -> Document:
        """Return a link, relative if it leads to an object of the same store, such as the model's item."""
        inside = f"{self._objects.uri}/"
        href = str(one.get("href"))
        if not href.startswith(inside):
            return one
        return {**one, "href": link("via", href.removeprefix(inside), of=key)["href"]}

    def _item_key(self, map_id: str) -> str:
        if not _ID.fullmatch(map_id):
            raise ParameterError(
                f"{shown(map_id)} is no id of a map", next_step="use letters, digits, '-', '_' and '.'"
            )
        return placed(keys.map_item_key(map_id), self._prefix)

    def _entries(self, known: dict[str, MapEntry]) -> list[MapEntry]:
        """Return the entries of all maps that there are, by month and id; new ones are added to ``known``."""
        there = self._objects.folders(placed(keys.MAP_ITEMS, self._prefix))
        new = [map_id for map_id in there if map_id not in known and _ID.fullmatch(map_id)]
        known |= {entry.id: entry for entry in map_many(self._objects, self._read, new) if entry is not None}
        found = [known[map_id] for map_id in there if map_id in known]
        return sorted(found, key=lambda entry: (entry.month, entry.id))

    def _read(self, map_id: str) -> MapEntry | None:
        """Return a map's entry; None if it is not finished, or damaged, which is told."""
        try:
            return entry_of({**self.item(map_id), "id": map_id})
        except MissingInputError:
            return None
        except BadDataError as error:
            LOG.warning("left out of the catalogue: %s", error.message)
            return None

    def _write(self, entries: list[MapEntry]) -> None:
        by_month = {month: list(found) for month, found in groupby(entries, key=lambda entry: entry.month)}
        for month in {*by_month, *self._months()}:
            self._put(
                placed(keys.map_month_key(month), self._prefix), self._month(month, by_month.get(month, []))
            )
        key, root = (placed(k, self._prefix) for k in (keys.MAPS_COLLECTION, keys.MAPS_CATALOG))
        children = [
            link("child", placed(keys.map_month_key(month), self._prefix), of=key, title=month)
            for month in by_month
        ]
        links = [link("root", root, of=key), link("parent", root, of=key), *children]
        times = [entry.time for entry in entries if entry.time]
        title, text = _words(entries)
        begin = min(times, default=None)
        self._put(key, collection(NAME, title, text, links, begin=begin, bbox=_around(entries)))

    def _month(self, month: str, entries: list[MapEntry]) -> Document:
        key, root, parent = (
            placed(k, self._prefix)
            for k in (keys.map_month_key(month), keys.MAPS_CATALOG, keys.MAPS_COLLECTION)
        )
        links = [link("root", root, of=key), link("parent", parent, of=key)]
        links += [entry.link(key, self._prefix) for entry in entries]
        text = f"{len(entries)} maps of scenes of {month}."
        return catalog(f"{NAME}-{month}", f"Maps of {month}", text, links)

    def _months(self) -> list[str]:
        return list(self._objects.folders(placed(keys.MAP_MONTHS, self._prefix)))

    def _document(self, month: str) -> Document:
        return self._json(placed(keys.map_month_key(month), self._prefix))

    def _json(self, key: str) -> Document:
        """Return a document; an empty one where there is none or it is damaged: it is made anew."""
        try:
            found = json.loads(self._content(key))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _put(self, key: str, document: Document) -> None:
        """Write a document where it differs from the one that is there, without blanks: it may be large."""
        content = canonical_json(document) + b"\n"
        if self._content(key) != content:
            self._objects.put(key, content)

    def _content(self, key: str) -> bytes:
        """Return the bytes of a document, none where there is none or it is far too large."""
        try:
            return get_bounded(self._objects, key, LARGEST_DOCUMENT)
        except (MissingInputError, BadDataError):
            return b""


def _words(entries: list[MapEntry]) -> tuple[str, str]:
    """Return title and description of the collection."""
    roads = sum(entry.task == "roads" for entry in entries)
    if not roads:
        text = f"{len(entries)} maps of buildings: probabilities and footprints, by months of their scenes."
        return "Maps of buildings", text
    text = (
        f"{len(entries) - roads} maps of buildings (probabilities and footprints) and {roads} of roads "
        "(probabilities and graphs), by months of their scenes."
    )
    return "Maps of buildings and roads", text


def _around(entries: list[MapEntry]) -> tuple[float, float, float, float]:
    boxes = [entry.bbox for entry in entries if entry.bbox is not None]
    if not boxes:
        return WORLD
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)
