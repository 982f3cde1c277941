"""STAC documents as JSON: links, collections, catalogues, and items that carry a seal.

They are written as plain JSON: the images that promote a model hold no STAC library.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from components.contract.documents import shown
from components.contract.errors import BadDataError
from components.contract.hashing import sha256_json
from components.lib.objects.protocol import ObjectStore

Document = dict[str, Any]
T = TypeVar("T")

VERSION: Final = "1.1.0"
"""Version of STAC."""

JSON_TYPE: Final = "application/json"
ITEM_TYPE: Final = "application/geo+json"

SHA256_MULTIHASH: Final = "1220"
"""Multihash prefix of a SHA-256: function 0x12, length 32."""

SEAL: Final = "stormsight:seal"
"""Property of an item: SHA-256 of all of it but the seal and the links, which STAC tools add to."""

LARGEST_ITEM: Final = 4 << 20
"""Bytes of an item at most."""

WORLD: Final = (-180.0, -90.0, 180.0, 90.0)

_ROUNDS: Final = 20


def link(rel: str, key: str, *, of: str, title: str | None = None, **more: object) -> Document:
    """Return a link from one document to another, relative.

    Args:
        rel: Relation.
        key: Key of the document that is linked to.
        of: Key of the document that holds the link.
        title: Title of the link.
        more: Further fields.
    """
    media_type = ITEM_TYPE if rel in {"item", "derived_from", "predecessor-version"} else JSON_TYPE
    found = {"rel": rel, "href": relative(key, of=of), "type": media_type, **more}
    return found if title is None else {**found, "title": title}


def relative(key: str, *, of: str) -> str:
    """Return the address of ``key`` relative to the document ``of``.

    >>> relative("maps/models/m/bundles/x/w", of="maps/models/m/1/item.json")
    '../bundles/x/w'
    """
    found = posixpath.relpath(key, posixpath.dirname(of) or ".")
    return found if found.startswith("..") else f"./{found}"


def catalog(name: str, title: str, description: str, links: Iterable[Document]) -> Document:
    """Return a STAC catalogue."""
    return {
        "type": "Catalog",
        "id": name,
        "title": title,
        "stac_version": VERSION,
        "description": description,
        "links": list(links),
    }


def collection(
    name: str,
    title: str,
    description: str,
    links: Iterable[Document],
    *,
    begin: str | None = None,
    bbox: Sequence[float] = WORLD,
) -> Document:
    """Return a STAC collection.

    Args:
        name: Its id.
        title: Words for people.
        description: Sentences about it.
        links: Its links.
        begin: Earliest time, UTC, ISO 8601; there is no latest one.
        bbox: West, south, east, north, degrees.
    """
    return {
        **catalog(name, title, description, links),
        "type": "Collection",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [list(bbox)]},
            "temporal": {"interval": [[begin, None]]},
        },
    }


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON for people too; equal documents give equal bytes."""
    return (json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def sealed(item: Mapping[str, Any]) -> Document:
    """Return an item with its seal."""
    return {**item, "properties": {**item["properties"], SEAL: _seal_of(item)}}


def read_item(content: bytes, *, name: str) -> Document:
    """Return a STAC item.

    Args:
        content: JSON.
        name: Name of the item in messages.

    Raises:
        BadDataError: If it is no item, or one whose seal is not that of its content.
    """
    try:
        item = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "it is no JSON") from error
    if not isinstance(item, dict) or item.get("type") != "Feature":
        raise _damaged(name, "it is no STAC item")
    if not str(item.get("stac_version", "")).startswith("1."):
        raise _damaged(name, f"it is of STAC {shown(str(item.get('stac_version')))}, not of version 1")
    for field in ("properties", "assets"):
        if not isinstance(item.get(field), dict):
            raise _damaged(name, f"it has no {field}")
    stated = item["properties"].get(SEAL)
    try:
        intact = stated is None or stated == _seal_of(item)
    except (ValueError, RecursionError):  # NaN, or nested too deeply: never written by us
        intact = False
    if not intact:
        raise _damaged(name, "its content is not what was published")
    return item


def get_bounded(store: ObjectStore, key: str, most: int = LARGEST_ITEM) -> bytes:
    """Return an object of at most ``most`` bytes.

    Raises:
        MissingInputError: If there is none.
        BadDataError: If it is larger.
    """
    content = bytearray()
    for chunk in store.chunks(key):
        content += chunk
        if len(content) > most:
            raise _damaged(f"{store.uri}/{key}", f"it has more than {most >> 20} MiB")
    return bytes(content)


def write_until_settled(look: Callable[[], T], write: Callable[[T], None]) -> T:
    """Write what follows from a state, and again as long as the state has changed meanwhile.

    Of several writers each looks after its last write, so whoever writes last leaves the present state.

    Args:
        look: Returns the state.
        write: Writes the documents that follow from it.
    """
    state = look()
    for _ in range(_ROUNDS):
        write(state)
        before, state = state, look()
        if state == before:
            break
    return state


def _seal_of(item: Mapping[str, Any]) -> str:
    properties = {name: value for name, value in item["properties"].items() if name != SEAL}
    return sha256_json({**{k: v for k, v in item.items() if k != "links"}, "properties": properties})


def _damaged(name: str, why: str) -> BadDataError:
    return BadDataError(
        f"{name} is no item of a model or map that was published: {why}",
        next_step="find out who wrote to it; restore it from a backup of the object store",
    )
