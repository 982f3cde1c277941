"""Announcements of removals and intents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.contract.errors import BadDataError
from components.contract.keys import REMOVALS, intents_prefix, removal_key
from components.lib.objects.folder import FolderObjects
from components.lib.operations.liveness import CLOCKS_DIFFER
from components.lib.operations.removals import (
    HOLDS,
    announced,
    declare_intent,
    read_intents,
    remove_expired,
    wait_for_removals,
)


@pytest.fixture
def store(tmp_path: object) -> FolderObjects:
    return FolderObjects(tmp_path)  # type: ignore[arg-type]


class Waits:
    """Clock that a pause moves on; what happens in the first pause is given."""

    def __init__(self, then: object = None) -> None:
        self.now = datetime.now(UTC)
        self.pauses = 0
        self._then = then

    def sleep(self, seconds: float) -> None:
        self.pauses += 1
        self.now += timedelta(minutes=1)
        if callable(self._then):
            self._then()

    def clock(self) -> datetime:
        return self.now


def test_who_needs_what_is_about_to_go_waits_and_others_do_not(store: FolderObjects) -> None:
    with announced(store, {"a", "b"}) as in_time:
        assert in_time()
        (info,) = store.list(REMOVALS)
        waits = Waits(lambda: store.delete(info.key))
        wait_for_removals(store, {"c"}, clock=waits.clock, sleep=waits.sleep)
        assert waits.pauses == 0
        wait_for_removals(store, {"b", "c"}, clock=waits.clock, sleep=waits.sleep)
        assert waits.pauses == 1
    assert store.list(REMOVALS) == []


@pytest.mark.parametrize("content", [None, b"{"])
def test_an_announcement_that_was_left_behind_or_damaged_holds_for_its_time(
    store: FolderObjects, content: bytes | None
) -> None:
    with pytest.raises(KeyboardInterrupt), announced(store, {"a"}):
        (left,) = store.list(REMOVALS)
        kept = store.get(left.key) if content is None else content
        raise KeyboardInterrupt
    store.put(removal_key("left"), kept)
    waits = Waits()
    wait_for_removals(store, {"a"}, clock=waits.clock, sleep=waits.sleep)
    assert waits.pauses == pytest.approx((HOLDS + CLOCKS_DIFFER) / timedelta(minutes=1), abs=1)
    remove_expired(store, datetime.now(UTC))
    assert store.list(REMOVALS)
    remove_expired(store, waits.now)
    assert store.list(REMOVALS) == []


def test_intents_of_a_training_add_up_and_are_read_once(store: FolderObjects) -> None:
    for names in ({"a", "b"}, {"b", "a"}, {"c"}):
        declare_intent(store, "k", "distill@one", names)
    found = read_intents(store, "k")
    assert sorted(found.values()) == [("a", "b"), ("c",)]
    assert read_intents(store, "k", found) == {}
    assert read_intents(store, "other") == {}
    store.put(f"{intents_prefix('k')}torn.json", b"{")
    with pytest.raises(BadDataError, match="torn"):
        read_intents(store, "k")
