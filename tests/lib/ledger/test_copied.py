"""Chains with a copy of their entries: equal to plain ones, in few requests, whatever becomes of the copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest

from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.hashing import seal
from components.contract.keys import entry_key, head_key, snapshot_key
from components.lib.ledger import copied
from components.lib.ledger.chain import Chain, Entry
from components.lib.ledger.copied import CopiedChain
from tests.lib.operations.stepping import Memory

PREFIX = "ledger/champions/m"
COPY = snapshot_key(PREFIX)


class Counting(Memory):
    """Store in memory that counts what it is asked for."""

    def __init__(self) -> None:
        self.requests = 0
        super().__init__(self._count)

    def _count(self) -> Callable[[], None]:
        self.requests += 1
        return lambda: None


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(copied, "EVERY", 5)
    return Counting()


def fill(store: Memory, number: int) -> list[Entry]:
    chain, entries = CopiedChain(store, PREFIX), list[Entry]()
    for n in range(number):
        entries.append(chain.append(entries[-1] if entries else None, {"n": n, "word": "ü"}))
    return entries


@pytest.mark.parametrize("number", [0, 1, 4, 5, 9, 10, 23])
def test_a_copied_chain_is_the_chain(store: Counting, number: int) -> None:
    entries = fill(store, number)
    assert CopiedChain(store, PREFIX).entries() == entries == Chain(store, PREFIX).entries()
    assert (COPY in store.objects) == (number >= 5)


def test_the_requests_do_not_grow_with_the_chain(store: Counting) -> None:
    costs = []
    for number in (12, 62):
        store.objects.clear()
        fill(store, number)
        store.requests = 0
        CopiedChain(store, PREFIX).entries()
        costs.append(store.requests)
    assert costs[0] == costs[1] < 10


@pytest.mark.parametrize("damage", ["torn", "cut", "foreign", "swapped"])
def test_a_copy_that_is_not_the_chains_is_ignored(store: Counting, damage: str) -> None:
    entries = fill(store, 12)
    if damage == "torn":
        store.objects[COPY] = store.objects[COPY][:-20]
    elif damage == "cut":
        store.objects[COPY] = seal({"entries": []})
    elif damage == "foreign":
        other = Chain(Memory(), PREFIX).append(None, {"n": "other"})
        store.objects[COPY] = seal({"entries": [asdict(other)]})
    else:
        one, two = entries[:2]
        store.objects[COPY] = seal({"entries": [asdict(two), asdict(one)]})
    assert CopiedChain(store, PREFIX).entries() == entries


def test_a_changed_or_lost_last_entry_is_found(store: Counting) -> None:
    fill(store, 12)
    del store.objects[entry_key(PREFIX, 12)]
    with pytest.raises(BadDataError, match="entry 12: it is missing"):
        CopiedChain(store, PREFIX).entries()
    store.objects[entry_key(PREFIX, 10)] = store.objects[entry_key(PREFIX, 9)]
    with pytest.raises(BadDataError, match="entry 10"):
        CopiedChain(store, PREFIX).entries()
    assert head_key(PREFIX) in store.objects


def test_an_append_stands_though_no_copy_can_be_written(
    store: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put

    def refuse(key: str, content: bytes) -> None:
        if key == COPY:
            raise SourceUnavailableError("no", next_step="wait")
        put(key, content)

    monkeypatch.setattr(store, "put", refuse)
    assert len(fill(store, 6)) == 6
    assert COPY not in store.objects
