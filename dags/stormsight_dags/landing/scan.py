"""Acquisitions that have landed and await registration, by comparison with the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stormsight_dags.landing.store import ObjectReader

MARKER = "COMPLETE.json"
"""File that a producer writes last, below the acquisition's prefix."""

OPERATIONS = "ledger/operations/"
"""Prefix of the entries of the operations ledger."""

REJECTED = "rejected/"
"""Prefix of the records of refused acquisitions."""

_UNSAFE = re.compile(r"[^a-z0-9-]+")
"""Characters that the registering command replaces in the name of a rejection."""


def entries_since(objects: ObjectReader, number: int) -> dict[int, Mapping[str, Any]]:
    """Return the bodies of the ledger's entries after ``number``, by their numbers."""
    names = {
        key: re.fullmatch(r"(\d+)\.json", key.removeprefix(OPERATIONS)) for key in objects.listing(OPERATIONS)
    }
    return {
        int(name[1]): json.loads(objects.get(key)).get("body", {})
        for key, name in names.items()
        if name is not None and int(name[1]) > number
    }


def registrations(entries: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Return the acquisitions that ``entries`` register, by the number of their entry."""
    return {n: str(body["acquisition"]) for n, body in entries.items() if body.get("event") == "registered"}


class LandingScan:
    """Comparison of the landing prefix with the ledger, which is read on from where it stopped.

    Args:
        landing: Landing prefix: ``<id>/COMPLETE.json`` and the files it names.
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
        if f"{name}/{MARKER}" not in files:
            return False
        since = refused.get(_UNSAFE.sub("-", name)[:63] or "-")
        return since is None or max(files.values()) > since

    def _refused(self) -> dict[str, datetime]:
        """Return when each acquisition was refused last (``rejected/<id>-<hash of its marker>.json``)."""
        latest: dict[str, datetime] = {}
        for key, written in self._objects.listing(REJECTED).items():
            name = key.removeprefix(REJECTED).rpartition("-")[0]
            latest[name] = max(written, latest.get(name, written))
        return latest
