"""Set of the acquisitions that the next training takes, kept so that its hashes are cheap.

A fold adds, removes and hashes in turn, once for each claim. So the canonical JSON of each member is kept, in
order: a hash then costs a join of bytes instead of an encoding of the whole set.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

from components.contract.hashing import canonical_json, sha256_bytes


class PendingSet:
    """Mutable set of acquisitions with their catalogue hashes.

    Args:
        acquisitions: SHA-256 of the catalogue entry by acquisition.
    """

    def __init__(self, acquisitions: Mapping[str, str]) -> None:
        self._members = sorted(_member(name, sha256) for name, sha256 in acquisitions.items())

    def add(self, name: str, sha256: str) -> None:
        """Add an acquisition that is not in it."""
        insort(self._members, _member(name, sha256))

    def remove(self, name: str, sha256: str) -> None:
        """Remove an acquisition that is in it."""
        del self._members[bisect_left(self._members, _member(name, sha256))]

    @property
    def sha256(self) -> str:
        """SHA-256 of the set: of the mapping as canonical JSON."""
        return sha256_bytes(self._json())

    def training_key(self, code: str, params: str) -> str:
        """Return what :func:`components.contract.identity.training_key` does for the set."""
        # "acquisitions" is the first of the sorted keys.
        rest = canonical_json({"code": code, "params": params})[1:]
        return sha256_bytes(b'{"acquisitions":' + self._json() + b"," + rest)

    def _json(self) -> bytes:
        return b"{" + b",".join(self._members) + b"}"


def _member(name: str, sha256: str) -> bytes:
    """Return a member's canonical JSON.

    Ids and hashes (see :mod:`components.lib.operations.events`) hold no character that JSON escapes, and none
    that sorts before the quote, so members sort as names do.
    """
    return f'"{name}":"{sha256}"'.encode()
