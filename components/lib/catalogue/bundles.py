"""Files of promoted models in the object store, and models fetched by their STAC items alone.

A model's two files lie below the SHA-256 of its model.json, which states that of the weights, and are created
once. Whoever has the item needs neither MLflow nor the ledger.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.contract.documents import shown
from components.contract.errors import BadDataError, ParameterError
from components.contract.keys import model_bundle_prefix
from components.contract.temporary import scratch_folder
from components.lib.catalogue.documents import SHA256_MULTIHASH, Document, get_bounded, read_item
from components.lib.catalogue.models import FILES, SIGNATURE, StoredFile
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.registry.served import CHANGE_MODEL

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Name or version of a model."""

_SIGNATURE_FILE = next(name for name, asset in FILES.items() if asset == SIGNATURE)


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model's STAC item, and the place that it was read from.

    Attributes:
        item: The item, its seal checked.
        href: URI of the item.
    """

    item: Document
    href: str

    @property
    def name(self) -> str:
        """Return the registered model."""
        return str(self.item["properties"]["mlm:name"])

    @property
    def version(self) -> str:
        """Return the version."""
        return str(self.item["properties"]["version"])

    @property
    def sensors(self) -> tuple[str, ...]:
        """Return the names of the sensors that the model knows."""
        return tuple(self.item["properties"]["instruments"])

    @property
    def hashes(self) -> dict[str, str]:
        """Return the hex SHA-256 of each file by name."""
        return {name: _sha256(self.item["assets"][asset], self.href) for name, asset in FILES.items()}


def store_bundle(
    objects: ObjectStore, model: str, folder: Path, hashes: Mapping[str, str]
) -> dict[str, StoredFile]:
    """Copy a model's files into the object store, each created once; return where they are.

    Args:
        objects: Object store of the catalogue.
        model: Registered model.
        folder: Folder of the files, whose hashes were checked.
        hashes: Hex SHA-256 of each file by name.

    Raises:
        BadDataError: If other bytes are where a file belongs.
        SourceUnavailableError: If the store does not answer.
    """
    prefix, found = model_bundle_prefix(model, hashes[_SIGNATURE_FILE]), {}
    for name in FILES:
        key, path = f"{prefix}{name}", folder / name
        if objects.exists(key) or not objects.create(key, path.read_bytes()):
            _require(objects, key, hashes[name])
        found[name] = StoredFile(key=key, sha256=hashes[name], size=path.stat().st_size)
    return found


def open_model_item(location: str) -> PublishedModel:
    """Read the STAC item of a building model.

    Args:
        location: Path, ``file://`` or ``s3://`` URI of the item.

    Raises:
        MissingInputError: If there is none.
        BadDataError: If it is no item of a building model, or not what was published.
        ParameterError: If the location is of another kind.
        SourceUnavailableError: If the store does not answer.
    """
    folder, name = _split(location)
    store = open_objects(folder)
    href = f"{store.uri}/{name}"
    item = read_item(get_bounded(store, name), name=href)
    properties, assets = item["properties"], item["assets"]
    if properties.get("mlm:name") == CHANGE_MODEL:
        raise BadDataError(
            f"{href}: its network compares two dates", next_step="give the item of a model of one image"
        )
    sensors = properties.get("instruments")
    known = (
        isinstance(sensors, list)
        and all(isinstance(sensor, str) for sensor in sensors)
        # They become columns, titles and lines on a terminal.
        and all(_is_word(properties.get(field)) for field in ("mlm:name", "version"))
    )
    if not known or not all(isinstance(assets.get(asset), dict) for asset in FILES.values()):
        raise _unfit(href, "it describes no model of this project")
    return PublishedModel(item, href)


@contextmanager
def fetched_model(published: PublishedModel) -> Iterator[Path]:
    """Download the files that an item names; they are removed when the block ends.

    Yields:
        A folder of weights.safetensors and model.json, whose bytes are those that the item states.

    Raises:
        MissingInputError: If a file is gone.
        BadDataError: If a file has other bytes, or the item names it by more than a relative path.
        SourceUnavailableError: If the store does not answer.
    """
    base, _ = _split(published.href)
    with scratch_folder("model") as folder:
        for name, asset in FILES.items():
            place, file = _split(_joined(base, published.item["assets"][asset].get("href"), published.href))
            open_objects(place).download(file, folder / name, sha256=published.hashes[name])
        yield folder


def _joined(base: str, href: object, item: str) -> str:
    """Return the URI of a file that an item names relative to its own place."""
    if not isinstance(href, str) or "://" in href or href.startswith("/") or "\\" in href:
        raise _unfit(item, f"it names a file as {shown(str(href))}, not relative to itself")
    if posixpath.basename(href) in {"", ".", ".."}:
        raise _unfit(item, f"it names a folder, not a file: {shown(href)}")
    scheme, separator, rest = base.partition("://")
    root, path = ("", scheme) if not separator else (f"{scheme}://", rest)
    joined = posixpath.normpath(f"{path}/{href}")
    # Items lie at <model>/<version>/item.json, files at <model>/bundles/: one folder up, in the bucket.
    above = path if scheme == "s3" and "/" not in path else posixpath.dirname(path.rstrip("/"))
    if not joined.startswith(f"{above.rstrip('/')}/"):
        raise _unfit(item, f"it names a file outside of its model's folder: {shown(href)}")
    return root + joined


def _split(location: str) -> tuple[str, str]:
    """Return the folder and the file's name of a path or URI."""
    if "://" not in location:
        path = Path(location).absolute()
        return f"file://{path.parent}", path.name
    folder, _, name = location.rpartition("/")
    if not name or folder.endswith("/"):
        raise ParameterError(
            f"{shown(location)} names no file", next_step="give the path or URI of an item.json"
        )
    return folder, name


def _is_word(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _sha256(asset: Document, item: str) -> str:
    checksum = str(asset.get("file:checksum"))
    if not checksum.startswith(SHA256_MULTIHASH) or len(checksum) != len(SHA256_MULTIHASH) + 64:
        raise _unfit(item, "it states no SHA-256 of a file")
    return checksum.removeprefix(SHA256_MULTIHASH)


def _require(objects: ObjectStore, key: str, sha256: str) -> None:
    digest = hashlib.sha256()
    for chunk in objects.chunks(key):
        digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise BadDataError(
            f"{objects.uri}/{key} is not the file that belongs there",
            next_step="find out who wrote to the object store; remove the object, then run "
            "`python -m components.promote publish`",
        )


def _unfit(item: str, why: str) -> BadDataError:
    return BadDataError(
        f"{item}: {why}", next_step="give an item that `python -m components.promote publish` has made"
    )
