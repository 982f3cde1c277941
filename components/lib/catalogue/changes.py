"""Changes of maps in the catalogue: what each map shows that the last earlier map of its ground did not.

They lie beside the map that they belong to, ``<map>/changes/``: files below a hash of their bytes, their STAC
item, created once, and ``index.html``, which the map's page links to whether there are changes or not. The
map's item is left as it is, but for one more link, which its seal leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from components.contract import keys
from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_json
from components.lib.catalogue.documents import (
    ITEM_TYPE,
    Document,
    encode,
    get_bounded,
    link,
    read_item,
    relative,
    sealed,
)
from components.lib.catalogue.publishing import assets_below, create_once, hashes_of
from components.lib.catalogue.root import placed
from components.lib.objects.protocol import ObjectStore

NOTICE: Final = "index.html"
"""Page at an address that is known before there are changes: it leads to their page, or says why not."""

RELATED: Final = "related"
"""Relation of a map to its changes (IANA); STAC has none of its own for it."""


def changes_prefix(map_id: str) -> str:
    """Return the prefix of a map's changes, with a slash at its end."""
    return f"{keys.map_prefix(map_id)}changes/"


class MapChanges:
    """Changes of the maps of one catalogue.

    Args:
        objects: The store of the catalogue.
        prefix: Prefix of the catalogue; empty for the store's root.
    """

    def __init__(self, objects: ObjectStore, prefix: str = keys.MAPS) -> None:
        self._objects = objects
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def item(self, map_id: str) -> Document | None:
        """Return the STAC item of a map's changes; None if there is none.

        Raises:
            BadDataError: If it is damaged.
        """
        key = self._key(map_id)
        try:
            return read_item(get_bounded(self._objects, key), name=f"{self._objects.uri}/{key}")
        except MissingInputError:
            return None

    def add(self, item: Mapping[str, Any], files: Mapping[str, Path], map_id: str, before: str) -> bool:
        """Publish changes: their files, then their item, unless there is one already.

        Args:
            item: STAC item whose assets have addresses ``./NAME`` of the files.
            files: Files by name, without the item.
            map_id: Map that they belong to, the later one.
            before: Map that it was compared with.

        Returns:
            True if this call has published them; False if they were there.

        Raises:
            BadDataError: If a file is not the one that the item states.
            ParameterError: If the item names a file that is not given.
            SourceUnavailableError: If the store does not answer.
        """
        key = self._key(map_id)
        if self._objects.exists(key):
            return False
        wanted = read_item(encode(item), name=f"the item of the changes of {map_id}")
        hashes = hashes_of(wanted, files, f"changes of {map_id}")
        below = f"{sha256_json(hashes)[:16]}/"
        sources = ((map_id, "The map after"), (before, "The map before"))
        links = [
            link("root", placed(keys.MAPS_CATALOG, self._prefix), of=key),
            *(link("derived_from", self._map_key(name), of=key, title=title) for name, title in sources),
        ]
        own = sealed({**wanted, "assets": assets_below(wanted, below), "links": links})
        return create_once(self._objects, key, own, files, key.removesuffix(keys.ITEM) + below)

    def link_map(self, map_id: str, title: str) -> None:
        """Let a map's item link to its changes, which are there; once.

        Raises:
            MissingInputError: If there is no such map.
            BadDataError: If its item is damaged.
        """
        key = self._map_key(map_id)
        item = read_item(get_bounded(self._objects, key), name=f"{self._objects.uri}/{key}")
        wanted = link(RELATED, self._key(map_id), of=key, title=title, type=ITEM_TYPE)
        links = item.get("links", [])
        if not isinstance(links, list):
            raise BadDataError(
                f"{self._objects.uri}/{key} has no list of links", next_step="find out who wrote to it"
            )
        if wanted not in links:
            self._objects.put(key, encode({**item, "links": [*links, wanted]}))

    def write_notice(self, map_id: str, html: str, *, only_first: bool = False) -> None:
        """Write the page at the address that the map's page links to.

        Args:
            map_id: The map.
            html: The page.
            only_first: Leave a page that is there.
        """
        key, content = self._notice_key(map_id), html.encode()
        if only_first:
            self._objects.create(key, content)
        elif not self._objects.exists(key) or self._objects.get(key) != content:
            self._objects.put(key, content)

    def page_address(self, item: Document, *, of: str) -> str | None:
        """Return the address of a map's page, None if the map has none.

        Args:
            item: STAC item of the map.
            of: Key of the document that the address stands in, which it is relative to.
        """
        found = item["assets"].get("page")
        if not isinstance(found, dict):
            return None
        file = self._map_key(str(item["id"])).removesuffix(keys.ITEM) + str(found["href"]).removeprefix("./")
        return relative(file, of=of)

    def folder(self, map_id: str) -> str:
        """Return the prefix of a map's changes in the store, with a slash at its end."""
        return placed(changes_prefix(map_id), self._prefix)

    def _key(self, map_id: str) -> str:
        return f"{self.folder(map_id)}{keys.ITEM}"

    def _notice_key(self, map_id: str) -> str:
        return f"{self.folder(map_id)}{NOTICE}"

    def _map_key(self, map_id: str) -> str:
        return placed(keys.map_item_key(map_id), self._prefix)
