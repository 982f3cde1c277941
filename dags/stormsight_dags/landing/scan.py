"""Acquisitions that have landed and await registration, by comparison with the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from components.contract.errors import SourceUnavailableError
from components.contract.hashing import sha256_json
from components.contract.keys import OPERATIONS, REJECTED, entry_key, entry_number, snapshot_key
from components.contract.landing import is_marked, is_readable, rejection_of
from stormsight_dags.landing.store import ObjectReader


def entries_since(objects: ObjectReader, number: int) -> dict[int, Mapping[str, Any]]:
    """Return the bodies of the operations ledger's entries after ``number``, by their numbers.

    Only these are listed and read, however long the ledger is.
    """
    listed = objects.listing(f"{OPERATIONS}/", after=entry_key(OPERATIONS, number))
    numbers = {one.key: entry_number(one.key) for one in listed}
    return {found: _body(objects.get(key)) for key, found in numbers.items() if found is not None}


def _body(content: bytes) -> Mapping[str, Any]:
    """Return an entry's body, an empty one if it is damaged: the registration says what is wrong with it."""
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    body = entry.get("body") if isinstance(entry, dict) else None
    return body if isinstance(body, dict) else {}


def registered_before(objects: ObjectReader) -> tuple[int, set[str]]:
    """Return what the ledger's snapshot holds: number of its entry, and the acquisitions registered by then.

    Without a snapshot, and with a damaged one, the ledger is read from its first entry.
    """
    key = snapshot_key(OPERATIONS)
    if not any(listed.key == key for listed in objects.listing(key)):
        return 0, set()
    try:
        snapshot = json.loads(objects.get(key))
        stated = snapshot.pop("sha256")
        if stated != sha256_json(snapshot):
            return 0, set()
        return int(snapshot["seq"]), {str(event["acquisition"]) for event in snapshot["registered"]}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return 0, set()


def registrations(entries: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Return the acquisitions that ``entries`` register, by the number of their entry."""
    return {n: str(body["acquisition"]) for n, body in entries.items() if body.get("event") == "registered"}


class LandingScan:
    """Comparison of the landing prefix with the ledger, which is read on from where it stopped.

    Args:
        landing: Landing prefix: a folder per acquisition with its marker and the files that the marker names.
        objects: Ledger and rejections.
    """

    def __init__(self, landing: ObjectReader, objects: ObjectReader) -> None:
        self._landing = landing
        self._objects = objects
        self._number: int | None = None
        self._registered: set[str] = set()

    def pending(self) -> list[str]:
        """Return the folders, complete or misnamed, that are neither registered nor rejected as they are.

        Raises:
            SourceUnavailableError: If a store does not answer. A folder that alone cannot be listed raises
                only where nothing else is pending.
        """
        candidates = set(self._landing.folders())
        if not candidates:
            return []
        if self._number is None:
            self._number, self._registered = registered_before(self._objects)
        entries = entries_since(self._objects, self._number)
        self._number = max(entries, default=self._number)
        self._registered |= set(registrations(entries).values())
        rejected = {listed.key for listed in self._objects.listing(REJECTED)}
        found: list[str] = []
        failures: list[SourceUnavailableError] = []
        for name in sorted(candidates - self._registered):
            try:
                if self._is_new(name, rejected):
                    found.append(name)
            except SourceUnavailableError as error:
                failures.append(error)
        if failures and not found:
            raise failures[0]
        return found

    def _is_new(self, name: str, rejected: Set[str]) -> bool:
        if not is_readable(name):
            return rejection_of(name, []) not in rejected
        listing = self._landing.listing(f"{name}/")
        return is_marked(name, listing) and rejection_of(name, listing) not in rejected
