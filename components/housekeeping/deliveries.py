"""Copies of deliveries that no training can need any more."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import datetime

from components.contract.keys import DELIVERIES, delivery_prefix
from components.lib.ledger.chain import Entry
from components.lib.objects.protocol import Objects, ObjectStore, map_many
from components.lib.operations.state import State


class Deliveries:
    """Copies below ``deliveries/``, one for each version of an acquisition that was ever accepted for a copy.

    One is superfluous if its acquisition was withdrawn before a time and no kept training took it, or if
    another version of the acquisition was registered, or none, and all its files are older than that time.

    Args:
        objects: Store of the copies.
        entries: Entries of the operations ledger, for the times of withdrawals.
        before: The time.
    """

    def __init__(self, objects: ObjectStore, entries: Iterable[Entry], before: datetime) -> None:
        self._objects = objects
        self._before = before
        self._withdrawn = {
            str(entry.body["acquisition"])
            for entry in entries
            if entry.body.get("event") == "withdrawn" and datetime.fromisoformat(entry.time) < before
        }

    def superfluous(self, state: State, kept: Set[str]) -> dict[str, Objects]:
        """Return the objects of superfluous copies, by prefix.

        Args:
            state: State of the operations.
            kept: Keys of trainings that are kept.
        """
        needed = _acquisitions(state, kept)
        suspects = [prefix for prefix in self._prefixes() if self._may_go(prefix, state, needed)]
        found = {prefix: self._objects.list(prefix) for prefix in suspects}
        return {
            prefix: infos for prefix, infos in found.items() if infos and self._is_old(prefix, infos, state)
        }

    def is_superfluous(self, prefix: str, state: State, kept: Set[str]) -> bool:
        """Return whether a copy is superfluous in a state."""
        return self._may_go(prefix, state, _acquisitions(state, kept)) and self._is_old(
            prefix, self._objects.list(prefix), state
        )

    def _prefixes(self) -> list[str]:
        above = [f"{DELIVERIES}{name}/" for name in self._objects.folders(DELIVERIES)]
        below = map_many(self._objects, self._objects.folders, above)
        return [f"{prefix}{name}/" for prefix, names in zip(above, below, strict=True) for name in names]

    def _may_go(self, prefix: str, state: State, needed: Set[str]) -> bool:
        name = prefix.removeprefix(DELIVERIES).partition("/")[0]
        if _is_registered(prefix, state):
            return name in self._withdrawn and name not in needed
        return True

    def _is_old(self, prefix: str, infos: Objects, state: State) -> bool:
        return _is_registered(prefix, state) or all(info.modified < self._before for info in infos)


def _is_registered(prefix: str, state: State) -> bool:
    """Return whether this very version of an acquisition was registered, though it may be withdrawn."""
    name = prefix.removeprefix(DELIVERIES).partition("/")[0]
    event = state.registered.get(name)
    return event is not None and prefix == delivery_prefix(name, event.marker_sha256)


def _acquisitions(state: State, kept: Set[str]) -> set[str]:
    """Return the acquisitions that kept trainings took."""
    return {name for key in kept if key in state.claims for name in state.acquisitions_of(state.claims[key])}
