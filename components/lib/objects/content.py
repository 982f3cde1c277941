"""Content of a DVC remote by its MD5: files, and the lists that stand for folders.

DVC 3 keeps content at ``files/md5/<2>/<30>``, a folder's list of files at ``...<30>.dir``, and the run cache
at ``runs/<2>/<64>/<64>``: the outputs of a stage, by its inputs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from components.contract.errors import BadDataError
from components.contract.keys import is_key
from components.lib.objects.protocol import ObjectStore

CONTENT, RUN_CACHE = "files/md5/", "runs/"
"""Prefixes of all content, and of the run cache."""

FOLDER = ".dir"
"""End of the hash of a folder."""


def content_key(md5: str) -> str:
    """Return the key of the object with this hash."""
    return f"{CONTENT}{md5[:2]}/{md5[2:]}"


def content_hash(key: str) -> str:
    """Return the hash of the object with this key."""
    return key.removeprefix(CONTENT).replace("/", "")


def folder_files(remote: ObjectStore, md5: str) -> dict[str, str]:
    """Return the MD5 of each file of a folder by its path in the folder.

    Args:
        remote: DVC's remote.
        md5: Hash of the folder, which ends in ``.dir``.

    Raises:
        MissingInputError: If the list is gone.
        BadDataError: If it is no list of files, or one of them would lie outside of the folder.
    """
    content = remote.get(content_key(md5))
    try:
        files = {str(item["relpath"]): str(item["md5"]) for item in json.loads(content)}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(remote, md5, "it is no list of files") from error
    if not all(is_key(path) for path in files):
        raise _damaged(remote, md5, "it names a file outside of its folder")
    return files


def read_content(remote: ObjectStore, md5: str) -> bytes:
    """Return a small file.

    Raises:
        MissingInputError: If it is gone.
        BadDataError: If it has another hash.
    """
    content = remote.get(content_key(md5))
    if _hash(content) != md5:
        raise _damaged(remote, md5, "it has another hash")
    return content


def download_content(remote: ObjectStore, md5: str, path: Path) -> None:
    """Write a file's content to ``path``.

    Raises:
        MissingInputError: If it is gone.
        BadDataError: If it has another hash.
    """
    remote.download(content_key(md5), path)
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        path.unlink()
        raise _damaged(remote, md5, "it has another hash")


def _hash(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _damaged(remote: ObjectStore, md5: str, why: str) -> BadDataError:
    return BadDataError(
        f"{remote.uri}/{content_key(md5)} is damaged: {why}",
        next_step="restore the object from a backup or an older version of it",
    )
