"""Publishing of files with the STAC item that names them: files first, the item last, once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from components.contract.documents import shown
from components.contract.errors import BadDataError, ParameterError, StormsightError
from components.contract.hashing import sha256_file
from components.lib.catalogue.documents import SHA256_MULTIHASH, Document, encode, get_bounded, read_item
from components.lib.objects.protocol import ObjectStore, map_many

LOG = logging.getLogger(__name__)


def hashes_of(item: Document, files: Mapping[str, Path], what: str) -> dict[str, str]:
    """Return the SHA-256 of files by name, which must be those that an item states.

    Args:
        item: STAC item whose assets have addresses ``./NAME`` of the files.
        files: Files by name.
        what: Name of the whole in messages.

    Raises:
        ParameterError: If the item names a file that is not given.
        BadDataError: If a file is not the one that it states.
    """
    hashes = {name: sha256_file(path) for name, path in sorted(files.items())}
    for name, asset in item["assets"].items():
        href = str(asset.get("href")) if isinstance(asset, dict) else ""
        file = href.removeprefix("./")
        if file not in hashes:
            raise ParameterError(
                f"{what}: its item names the file {shown(href)} ({name}), which is not given",
                next_step="give all files, by the names that the item has",
            )
        stated = asset.get("file:checksum")
        if stated is not None and stated != SHA256_MULTIHASH + hashes[file]:
            raise BadDataError(
                f"{what}: {file} is not the file whose SHA-256 its item states",
                next_step="make it again by the same command",
            )
    return hashes


def assets_below(item: Document, folder: str) -> Document:
    """Return an item's assets with addresses below ``folder``, which ends with a slash."""
    return {
        name: {**asset, "href": f"./{folder}{asset['href'].removeprefix('./')}"}
        for name, asset in item["assets"].items()
    }


def create_once(
    objects: ObjectStore, key: str, item: Document, files: Mapping[str, Path], folder: str
) -> bool:
    """Upload files, then create their item.

    Args:
        objects: The store.
        key: Key of the item.
        item: The item as it is published.
        files: Files by name.
        folder: Prefix of the files, named by their bytes, so that two makers never mix theirs.

    Returns:
        True if this call has made the item; False if another maker was first, whose item stays.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    map_many(objects, lambda name: objects.upload(f"{folder}{name}", files[name]), sorted(files))
    if objects.create(key, encode(item)):
        return True
    winner = read_item(get_bounded(objects, key), name=f"{objects.uri}/{key}")
    if winner["assets"] != item["assets"]:
        _remove(objects, [f"{folder}{name}" for name in sorted(files)])
    return False


def _remove(objects: ObjectStore, files: list[str]) -> None:
    """Remove files that another maker made first; that they stay does no harm."""
    try:
        map_many(objects, objects.delete, files)
    except StormsightError as error:  # an account may have no right to delete
        LOG.warning("files that another process made first stay: %s", error.message)
