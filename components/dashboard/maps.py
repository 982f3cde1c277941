"""Maps of the catalogues: entries, items, thumbnails, changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from components.contract import keys
from components.contract.errors import BadDataError, StormsightError
from components.contract.hashing import sha256_bytes
from components.lib.catalogue.changes import MapChanges
from components.lib.catalogue.documents import SHA256_MULTIHASH, get_bounded
from components.lib.catalogue.entries import MapEntry
from components.lib.catalogue.maps import Catalogue
from components.lib.catalogue.root import placed
from components.lib.objects.protocol import ObjectStore

LARGEST_PICTURE = 4 << 20
"""Bytes of a thumbnail at most."""

LARGEST_CHANGES = 32 << 20
"""Bytes of a table of changes at most, for its picture."""

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class MapPlace:
    """Place of a catalogue of maps.

    Attributes:
        name: Words for people.
        objects: Store that holds it.
        prefix: Prefix of its keys; empty for the store's root.
    """

    name: str
    objects: ObjectStore
    prefix: str

    def maps(self) -> list[KnownMap]:
        """Return its maps.

        Raises:
            SourceUnavailableError: If the store does not answer.
        """
        return [KnownMap(self, entry) for entry in Catalogue(self.objects, self.prefix).maps()]


@dataclass(frozen=True, slots=True)
class KnownMap:
    """A map of a catalogue.

    Attributes:
        place: Catalogue that holds it.
        entry: Its entry there.
    """

    place: MapPlace
    entry: MapEntry

    def item(self) -> Mapping[str, Any]:
        """Return its STAC item.

        Raises:
            MissingInputError: If it is gone.
            BadDataError: If it is damaged.
        """
        return Catalogue(self.place.objects, self.place.prefix).item(self.entry.id)

    def changes(self) -> Mapping[str, Any] | None:
        """Return the STAC item of its changes; None if it was not compared.

        Raises:
            BadDataError: If it is damaged.
        """
        return MapChanges(self.place.objects, self.place.prefix).item(self.entry.id)

    def address(self, href: str, folder: str = "") -> str:
        """Return the URI of a file that its item, or an item in a ``folder`` below it, names.

        Raises:
            BadDataError: If the name leaves the item's folder.
        """
        return f"{self.place.objects.uri}/{self._key(href, folder)}"

    def thumbnail(self) -> bytes:
        """Return its thumbnail, a PNG, checked against its hash.

        Raises:
            MissingInputError: If it has none.
            BadDataError: If it is too large, damaged or another kind of file.
        """
        content = self._asset(self.item(), "thumbnail", LARGEST_PICTURE)
        if not content.startswith(PNG):
            raise _damaged(self.entry.id, "its thumbnail is no PNG")
        return content

    def changes_table(self) -> bytes:
        """Return its table of changes, GeoParquet, checked against its hash.

        Raises:
            BadDataError: If there is none, or it is too large or damaged.
        """
        found = self.changes()
        if found is None:
            raise _damaged(self.entry.id, "it has no changes")
        return self._asset(found, "changes", LARGEST_CHANGES, "changes/")

    def _asset(self, item: Mapping[str, Any], name: str, most: int, folder: str = "") -> bytes:
        asset = item.get("assets", {}).get(name)
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise _damaged(self.entry.id, f"its item has no {name}")
        content = get_bounded(self.place.objects, self._key(asset["href"], folder), most)
        stated = asset.get("file:checksum")
        if isinstance(stated, str) and stated != f"{SHA256_MULTIHASH}{sha256_bytes(content)}":
            raise _damaged(self.entry.id, f"its {name} is not the one that its item states")
        return content

    def _key(self, href: str, folder: str) -> str:
        relative = href.removeprefix("./")
        if "://" in relative or not keys.is_key(relative):
            raise _damaged(self.entry.id, "a file of its item lies elsewhere")
        return f"{placed(keys.map_prefix(self.entry.id), self.place.prefix)}{folder}{relative}"


def text_at(item: Mapping[str, Any], *path: str) -> str:
    """Return a text at a path of an item's mappings; empty if there is none, so that nothing fails on it."""
    found: object = item
    for name in path:
        found = cast("Mapping[str, object]", found).get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


def thumbnail_words(item: Mapping[str, Any]) -> str:
    """Return words on what a map's thumbnail leaves out; empty if it shows the whole map."""
    return text_at(item, "assets", "thumbnail", "description")


def is_simulated(item: Mapping[str, Any]) -> bool:
    """Return whether scene or model of a map come from the simulated world."""
    properties = item.get("properties", {})
    model = properties.get("stormsight:model")
    by_model = isinstance(model, dict) and model.get("simulated") is True
    return properties.get("stormsight:simulated") is True or by_model


def item_or_none(known: KnownMap) -> Mapping[str, Any] | None:
    """Return a map's item; None where it cannot be read."""
    try:
        return known.item()
    except StormsightError:
        return None


def _damaged(name: str, why: str) -> BadDataError:
    return BadDataError(f"map {name[:100]}: {why}", next_step="make the map again")
