"""Root of the catalogue: links to the collections of models and of maps that there are."""

from __future__ import annotations

from components.contract import keys
from components.lib.catalogue.documents import catalog, encode, link, write_until_settled
from components.lib.objects.protocol import ObjectStore

ROOT = f"{keys.MAPS}{keys.CATALOG}"
MAPS_COLLECTION = f"{keys.MAPS}{keys.COLLECTION}"


def refresh_root(objects: ObjectStore) -> None:
    """Write the root of the catalogue anew from the collections that there are.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    write_until_settled(lambda: _collections(objects), lambda found: _write(objects, found))


def _collections(objects: ObjectStore) -> list[str]:
    models = [keys.model_collection_key(name) for name in objects.folders(keys.MAP_MODELS)]
    return [key for key in (MAPS_COLLECTION, *models) if objects.exists(key)]


def _write(objects: ObjectStore, collections: list[str]) -> None:
    children = [link("child", key, of=ROOT) for key in collections]
    text = "Maps of buildings, and the models that made them."
    objects.put(ROOT, encode(catalog("stormsight", text, [link("root", ROOT, of=ROOT), *children])))
