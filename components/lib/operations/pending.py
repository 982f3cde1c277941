"""Set of the acquisitions that the next training takes, kept so that its hashes are cheap.

A fold adds, removes and hashes in turn, once for each claim. The hash of a set is one of its sorted members,
so the state of the hash after each block of members is kept: what comes after the last change is hashed anew,
which is little where names are in the order of arrival, as names with a date are.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping

from components.contract.hashing import canonical_json

BLOCK = 64
"""Members between two kept states of a hash."""


class PendingSet:
    """Mutable set of acquisitions with their catalogue hashes.

    Args:
        acquisitions: SHA-256 of the catalogue entry by acquisition.
    """

    def __init__(self, acquisitions: Mapping[str, str]) -> None:
        self._members = sorted(_member(name, sha256) for name, sha256 in acquisitions.items())
        self._set = _Digest(b"{")
        # "acquisitions" is the first of the sorted keys.
        self._key = _Digest(b'{"acquisitions":{')

    def add(self, name: str, sha256: str) -> None:
        """Add an acquisition that is not in it."""
        self._members.insert(self._changed_at(name, sha256), _member(name, sha256))

    def remove(self, name: str, sha256: str) -> None:
        """Remove an acquisition that is in it."""
        del self._members[self._changed_at(name, sha256)]

    @property
    def sha256(self) -> str:
        """SHA-256 of the set: of the mapping as canonical JSON."""
        return self._set.hexdigest(self._members, b"}")

    def training_key(self, code: str, params: str) -> str:
        """Return what :func:`components.contract.identity.training_key` does for the set."""
        rest = canonical_json({"code": code, "params": params})[1:]
        return self._key.hexdigest(self._members, b"}," + rest)

    def _changed_at(self, name: str, sha256: str) -> int:
        position = bisect_left(self._members, _member(name, sha256))
        self._set.forget(position)
        self._key.forget(position)
        return position


class _Digest:
    """SHA-256 of a beginning, members with commas between them, and an end."""

    def __init__(self, beginning: bytes) -> None:
        self._states = [hashlib.sha256(beginning)]
        """State after so many blocks of members."""

    def forget(self, position: int) -> None:
        """Forget what depends on the members from ``position`` on."""
        del self._states[position // BLOCK + 1 :]

    def hexdigest(self, members: list[bytes], end: bytes) -> str:
        """Return the hex digest."""
        for start in range((len(self._states) - 1) * BLOCK, len(members) - BLOCK + 1, BLOCK):
            state = self._states[-1].copy()
            state.update(_joined(members, start))
            self._states.append(state)
        digest = self._states[-1].copy()
        digest.update(_joined(members, (len(self._states) - 1) * BLOCK) + end)
        return digest.hexdigest()


def _joined(members: list[bytes], start: int) -> bytes:
    """Return a block of members with commas, the one before it included."""
    block = members[start : start + BLOCK]
    return (b"," if start and block else b"") + b",".join(block)


def _member(name: str, sha256: str) -> bytes:
    """Return a member's canonical JSON.

    Ids and hashes (see :mod:`components.lib.operations.events`) hold no character that JSON escapes, and none
    that sorts before the quote, so members sort as names do.
    """
    return f'"{name}":"{sha256}"'.encode()
