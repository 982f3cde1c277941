"""The index of strips: ground is judged without reading the catalogue, and it is never more than a copy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.acquisitions.catalogue import entry_content
from components.acquisitions.marker import Marker, parse_marker
from components.acquisitions.rejections import RefusedError
from components.acquisitions.strips import StripIndex
from components.contract.hashing import canonical_json, sha256_bytes
from components.contract.keys import CATALOGUE, STRIPS
from components.lib.operations.events import Registered, Withdrawn
from components.lib.operations.state import State
from tests.acquisitions.releases import marker, release, strip_of_day
from tests.lib.operations.stepping import Memory

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHA = "0" * 64


class Counting(Memory):
    """Store that counts the reads of catalogue entries."""

    entries_read = 0

    def get(self, key: str) -> bytes:
        self.entries_read += key.startswith(CATALOGUE)
        return super().get(key)


def delivery(name: str, day: int, **changes: object) -> Marker:
    content = canonical_json(marker(name, release(strip=strip_of_day(day)), **changes))
    return parse_marker(content, name)


def registered(objects: Counting, days: dict[str, int]) -> State:
    """State in which an acquisition is registered for each day."""
    state = State()
    for name, day in days.items():
        entry = entry_content(delivery(name, day), f"{objects.uri}/deliveries/{name}/")
        objects.put(f"{CATALOGUE}{name}.json", entry)
        event = Registered(acquisition=name, catalogue_sha256=sha256_bytes(entry), marker_sha256=SHA)
        state = state.apply(event, NOW)
    return state


def test_each_entry_is_read_once_in_a_lifetime() -> None:
    objects = Counting()
    state = registered(objects, {f"day-{day}": day for day in range(1, 21)})
    first = StripIndex(objects)
    first.require_new_ground(delivery("new", 25), state)
    first.save()
    assert objects.entries_read == 20
    second = StripIndex(objects)
    second.require_new_ground(delivery("newer", 26), state)
    assert objects.entries_read == 20, "no entry is read again"
    with pytest.raises(RefusedError, match="2 tiles are in day-7 too"):
        second.require_new_ground(delivery("seventh", 7), state)
    assert objects.entries_read == 21, "only the one with a common strip"


def test_what_is_withdrawn_or_of_another_sensor_keeps_no_ground() -> None:
    objects = Counting()
    state = registered(objects, {"day-1": 1})
    index = StripIndex(objects)
    with pytest.raises(RefusedError):
        index.require_new_ground(delivery("new", 1), state)
    withdrawn = state.apply(Withdrawn(acquisition="day-1", reason="clouds"), NOW)
    index.require_new_ground(delivery("new", 1), withdrawn)
    other = delivery("new", 1, sensor="simulated-airborne", simulated=True)
    index.require_new_ground(other, state)


@pytest.mark.parametrize("content", [None, b"{", b"[]"])
def test_a_lost_index_is_made_anew(content: bytes | None) -> None:
    objects = Counting()
    state = registered(objects, {"day-1": 1, "day-2": 2})
    if content is not None:
        objects.put(STRIPS, content)
    index = StripIndex(objects)
    with pytest.raises(RefusedError):
        index.require_new_ground(delivery("new", 1), state)
    index.save()
    fresh = Counting()
    fresh.objects = dict(objects.objects)
    StripIndex(fresh).require_new_ground(delivery("new", 3), state)
    assert fresh.entries_read == 0


def test_an_entry_that_another_process_registered_meanwhile_is_seen() -> None:
    objects = Counting()
    index = StripIndex(objects)
    index.require_new_ground(delivery("new", 2), registered(objects, {"day-1": 1}))
    with pytest.raises(RefusedError, match="day-2"):
        index.require_new_ground(delivery("new", 2), registered(objects, {"day-1": 1, "day-2": 2}))
