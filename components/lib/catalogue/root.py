"""Root of the catalogue: links to the collections of models and of maps that there are."""

from __future__ import annotations

from components.contract import keys
from components.lib.catalogue.documents import catalog, encode, link, write_until_settled
from components.lib.objects.protocol import ObjectStore


def refresh_root(objects: ObjectStore, prefix: str = keys.MAPS) -> None:
    """Write the root of the catalogue anew from the collections that there are.

    Args:
        objects: Object store of the catalogue.
        prefix: Prefix of the catalogue, empty or with a slash at its end.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    root = f"{prefix}{keys.CATALOG}"
    write_until_settled(
        lambda: _collections(objects, prefix), lambda found: objects.put(root, _content(root, found))
    )


def placed(key: str, prefix: str) -> str:
    """Return a key of :mod:`components.contract.keys` below another prefix than ``maps/``."""
    return f"{prefix}{key.removeprefix(keys.MAPS)}"


def _collections(objects: ObjectStore, prefix: str) -> list[str]:
    models = objects.folders(placed(keys.MAP_MODELS, prefix))
    found = [keys.MAPS_COLLECTION, *(keys.model_collection_key(name) for name in models)]
    return [key for key in (placed(name, prefix) for name in found) if objects.exists(key)]


def _content(root: str, collections: list[str]) -> bytes:
    children = [link("child", key, of=root) for key in collections]
    text = "Maps of buildings, and the models that made them."
    return encode(catalog("stormsight", "Stormsight", text, [link("root", root, of=root), *children]))
