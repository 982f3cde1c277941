"""Scenes in buckets, fetched into a folder once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath

from components.contract.errors import MissingInputError, ParameterError
from components.contract.keys import is_key
from components.lib.datasets.sensors import DATASETS
from components.lib.disk import require_free_space
from components.lib.foreign import one_line
from components.lib.nets.config import Modality
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore, map_many
from components.lib.shards.manifest import MANIFEST, read_manifest
from components.lib.telling import telling

_IMAGE = (".tif", ".tiff")


def fetched(source: str, scratch: Path, sensor: str | None, modality: Modality) -> Path:
    """Return the local path of a source; objects of a bucket are fetched into ``scratch`` first.

    What an earlier command fetched of the same versions is not fetched again.

    Raises:
        ParameterError: If the address is of another kind.
        MissingInputError: If there is no such object.
        SourceUnavailableError: If the bucket does not answer.
        ResourceError: If the disk cannot take the objects.
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        return Path(source)
    if scheme == "file":
        return Path(rest)
    if scheme != "s3":
        raise ParameterError(
            f"{one_line(source)}: scenes are read from disks and from s3:// only",
            next_step="fetch the file first, or put it into a bucket",
        )
    if source.lower().endswith(_IMAGE):
        parent, _, name = source.rpartition("/")
        store = open_objects(parent, public=True)
        found = [info for info in store.list(name) if info.key == name]
        return _fetch(store, found, source, scratch) / name
    store = open_objects(source, public=True)
    listing = [info for info in store.list() if is_key(info.key)]
    manifest = [info for info in listing if info.key == MANIFEST]
    if not manifest:
        wanted = [info for info in listing if _is_wanted(info.key, modality)]
        return _fetch(store, wanted, source, scratch)
    # The manifest states the hash of every file, and readers of shards compare it: it stands for all of them.
    folder = _fetch(store, manifest, source, scratch)
    rows = read_manifest(folder)
    rows = rows[rows["product"].isin(_products(modality))]
    shards = set(rows["shard"] if sensor is None else rows["shard"][rows["sensor"] == sensor])
    _download(store, [info for info in listing if info.key in shards], folder)
    return folder


def _products(modality: Modality) -> set[str]:
    """Return the products whose files a map of that kind needs, of all data sets."""
    return {
        product
        for dataset in DATASETS.values()
        for product in (
            dataset.summaries.product,
            dataset.sar.name if modality == "sar" else dataset.optical.name,
        )
    }


def _is_wanted(key: str, modality: Modality) -> bool:
    name = PurePosixPath(key).name
    return any(
        name == dataset.summaries.orientations
        or (dataset.matches(name) and dataset.parse(name).product in _products(modality))
        for dataset in DATASETS.values()
    )


def _fetch(store: ObjectStore, objects: Objects, source: str, scratch: Path) -> Path:
    if not objects:
        raise MissingInputError(
            f"{source} holds no images", next_step="check the address; folders hold tiles of a data set"
        )
    folder = _folder(store, objects, scratch)
    _download(store, objects, folder)
    return folder


def _folder(store: ObjectStore, objects: Objects, scratch: Path) -> Path:
    """Return the folder of these versions of objects; another version has another one."""
    identity = json.dumps([store.endpoint, store.uri, [[o.key, o.size, o.version] for o in objects]])
    return scratch / hashlib.sha256(identity.encode()).hexdigest()[:16]


def _download(store: ObjectStore, objects: Objects, folder: Path) -> None:
    missing = [one for one in objects if not (folder / one.key).is_file()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(one.size for one in missing)
    require_free_space(folder, total)
    with telling(f"fetch {store.uri}", total, "B", scale=True) as advance:

        def fetch(one: ObjectInfo) -> None:
            store.download(one.key, folder / one.key)
            advance(one.size)

        map_many(store, fetch, missing)
