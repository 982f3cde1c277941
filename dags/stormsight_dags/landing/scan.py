"""Acquisitions that have landed and await registration, by comparison with the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from components.contract.keys import (
    OPERATIONS,
    REJECTED,
    entry_number,
    marker_key,
    rejected_name,
    rejection_name,
)
from stormsight_dags.landing.store import ObjectReader


def entries_since(objects: ObjectReader, number: int) -> dict[int, Mapping[str, Any]]:
    """Return the bodies of the operations ledger's entries after ``number``, by their numbers."""
    numbers = {key: entry_number(key) for key in objects.listing(f"{OPERATIONS}/")}
    return {
        found: _body(objects.get(key))
        for key, found in numbers.items()
        if found is not None and found > number
    }


def _body(content: bytes) -> Mapping[str, Any]:
    """Return an entry's body, an empty one if it is damaged: the registration says what is wrong with it."""
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    body = entry.get("body") if isinstance(entry, dict) else None
    return body if isinstance(body, dict) else {}


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
        self._number = 0
        self._registered: set[str] = set()

    def pending(self) -> list[str]:
        """Return complete acquisitions that are neither registered nor refused as they are now, sorted."""
        candidates = set(self._landing.folders())
        if not candidates:
            return []
        entries = entries_since(self._objects, self._number)
        self._number = max(entries, default=self._number)
        self._registered |= set(registrations(entries).values())
        refused = self._refused()
        return sorted(name for name in candidates - self._registered if self._is_new(name, refused))

    def _is_new(self, name: str, refused: Mapping[str, datetime]) -> bool:
        files = self._landing.listing(f"{name}/")
        if marker_key(name) not in files:
            return False
        since = refused.get(rejection_name(name))
        return since is None or max(files.values()) > since

    def _refused(self) -> dict[str, datetime]:
        """Return when each acquisition was refused last, by the name in the rejection's key."""
        latest: dict[str, datetime] = {}
        for key, written in self._objects.listing(REJECTED).items():
            name = rejected_name(key)
            latest[name] = max(written, latest.get(name, written))
        return latest
