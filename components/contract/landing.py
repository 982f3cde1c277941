"""Folders of the landing place: which names can be read by key, and when a folder has changed.

Registration and the sensor that waits for it share this one definition. A folder is looked at once for each
listing of it: the names, sizes and versions (etag, time of writing) that the store gives. No two clocks are
compared, so a file that is uploaded while an earlier version of it is checked counts as a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from components.contract.hashing import sha256_json
from components.contract.keys import accepted_key, is_key, marker_key, rejection_key


class Listed(Protocol):
    """Object of a listing."""

    @property
    def key(self) -> str:
        """Key, relative to the store."""
        ...

    @property
    def size(self) -> int:
        """Size in bytes."""
        ...

    @property
    def version(self) -> str:
        """Mark of the store that changes whenever the object is written."""
        ...


def is_readable(folder: str) -> bool:
    """Return whether objects of a folder can be read by key; names that cannot are rejected as they are."""
    return is_key(marker_key(folder))


def is_marked(folder: str, listing: Iterable[Listed]) -> bool:
    """Return whether the completeness marker is in a folder's listing: its producer has finished."""
    return any(listed.key == marker_key(folder) for listed in listing)


def rejection_of(folder: str, listing: Iterable[Listed]) -> str:
    """Return the key under which a folder with exactly this listing is recorded if it is rejected."""
    return rejection_key(folder, _digest(folder, listing))


def acceptance_of(folder: str, listing: Iterable[Listed]) -> str:
    """Return the key that notes a registered folder whose marker, as it is listed, is the registered one."""
    marker = [listed for listed in listing if listed.key == marker_key(folder)]
    return accepted_key(folder, _digest(folder, marker))


def _digest(folder: str, listing: Iterable[Listed]) -> str:
    return sha256_json([folder, sorted([listed.key, listed.size, listed.version] for listed in listing)])
