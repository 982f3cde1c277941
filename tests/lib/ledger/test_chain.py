"""The chain on a folder and on a real S3 endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from components.contract.errors import BadDataError
from components.contract.hashing import canonical_json, seal, sha256_json
from components.lib.ledger.chain import GENESIS, Chain, Entry, HeadMovedError
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore

PREFIX = "ledger/operations"
NESTED = {"umlaut": "ä", "list": [1]}


def key(number: int) -> str:
    return f"{PREFIX}/{number:09d}.json"


def fill(store: ObjectStore, count: int = 4) -> list[Entry]:
    chain, head = Chain(store, PREFIX), None
    for number in range(count):
        head = chain.append(head, {"what": "a test", "number": number, "nested": NESTED})
    return chain.entries()


def test_entries_come_back_in_order_and_linked(store: ObjectStore) -> None:
    entries = fill(store)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.prev_hash for entry in entries] == [GENESIS, *(entry.hash for entry in entries[:-1])]
    assert entries[2].body == {"what": "a test", "number": 2, "nested": NESTED}
    assert all(entry.intact for entry in entries)
    chain = Chain(store, PREFIX)
    assert chain.entries() == entries
    assert chain.entries(entries[:3]) == entries


def test_an_absent_chain_is_empty(store: ObjectStore) -> None:
    assert Chain(store, PREFIX).entries() == []


def test_chains_side_by_side_do_not_mix(store: ObjectStore) -> None:
    Chain(store, "ledger/a").append(None, {"of": "a"})
    Chain(store, "ledger/ab").append(None, {"of": "ab"})
    assert [entry.body for entry in Chain(store, "ledger/a").entries()] == [{"of": "a"}]


def test_an_append_after_a_former_head_is_refused(store: ObjectStore) -> None:
    entries = fill(store)
    chain = Chain(store, PREFIX)
    for head in (None, entries[0], entries[2]):
        with pytest.raises(HeadMovedError, match="another process added entry"):
            chain.append(head, {"late": True})
    assert chain.entries() == entries


def test_concurrent_writers_lose_nothing(store_uri: str) -> None:
    def write(name: int) -> None:
        chain = Chain(open_objects(store_uri), PREFIX)
        entries: list[Entry] = []
        for number in range(4):
            while True:
                entries = chain.entries(entries)
                try:
                    chain.append(entries[-1] if entries else None, {"writer": name, "number": number})
                except HeadMovedError:
                    continue
                break

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = Chain(open_objects(store_uri), PREFIX).entries()
    written = [(entry.body["writer"], entry.body["number"]) for entry in entries]
    assert sorted(written) == [(name, number) for name in range(4) for number in range(4)]
    for name in range(4):  # each writer's own order is kept
        assert [number for writer, number in written if writer == name] == [0, 1, 2, 3]


def changed(store: ObjectStore) -> None:
    store.put(key(2), store.get(key(2)).replace(b"a test", b"a tort"))


def forged_with_a_new_hash(store: ObjectStore) -> None:
    before = Chain(store, PREFIX).entries()[0]
    store.put(key(2), Entry.after(before, "2026-01-01T00:00:00+00:00", {"forged": True}).content())


def removed_from_the_middle(store: ObjectStore) -> None:
    store.delete(key(2))


def removed_from_the_front(store: ObjectStore) -> None:
    store.delete(key(1))


def removed_from_the_end(store: ObjectStore) -> None:
    store.delete(key(4))


def all_removed(store: ObjectStore) -> None:
    for number in range(1, 5):
        store.delete(key(number))


def swapped(store: ObjectStore) -> None:
    second, third = store.get(key(2)), store.get(key(3))
    store.put(key(2), third)
    store.put(key(3), second)


def repeated(store: ObjectStore) -> None:
    store.put(key(5), store.get(key(4)))


def inserted(store: ObjectStore) -> None:
    for number in (4, 3):
        store.put(key(number + 1), store.get(key(number)))
    before = json.loads(store.get(key(2)))
    store.put(key(3), Entry.after(Entry(**before), before["time"], {"inserted": True}).content())


def rewritten_in_another_way(store: ObjectStore) -> None:
    store.put(key(1), json.dumps(json.loads(store.get(key(1))), indent=1).encode())


def not_json(store: ObjectStore) -> None:
    store.put(key(3), b"{")


def without_a_clock(store: ObjectStore) -> None:
    before = Chain(store, PREFIX).entries()[1]
    store.put(key(3), Entry.after(before, "2026-01-01", {"time": "of no zone"}).content())


def a_truth_value_for_a_number(store: ObjectStore) -> None:
    first = Entry.after(None, "2026-01-01T00:00:00+00:00", {})
    fields = {**json.loads(first.content()), "seq": True}
    fields["hash"] = sha256_json({name: value for name, value in fields.items() if name != "hash"})
    store.put(key(1), canonical_json(fields) + b"\n")


def another_shape(store: ObjectStore) -> None:
    store.put(key(3), b'["a", "list"]')


def end_rewritten(store: ObjectStore) -> None:
    """Replace the last entry by a valid one: the chain is whole, the note knows better."""
    before = Chain(store, PREFIX).entries()[2]
    store.put(key(4), Entry.after(before, "2026-01-01T00:00:00+00:00", {"forged": True}).content())


@pytest.mark.parametrize(
    ("tamper", "entry"),
    [
        (changed, 2),
        (forged_with_a_new_hash, 3),
        (removed_from_the_middle, 2),
        (removed_from_the_front, 1),
        (removed_from_the_end, 4),
        (all_removed, 1),
        (swapped, 2),
        (repeated, 5),
        (inserted, 4),
        (rewritten_in_another_way, 1),
        (not_json, 3),
        (another_shape, 3),
        (without_a_clock, 3),
        (a_truth_value_for_a_number, 1),
        (end_rewritten, 4),
    ],
)
def test_tampering_is_found(store: ObjectStore, tamper: Callable[[ObjectStore], None], entry: int) -> None:
    fill(store)
    tamper(store)
    before = {info.key: store.get(info.key) for info in store.list()}
    with pytest.raises(BadDataError, match=rf"ledger {store.uri}/{PREFIX}, entry {entry}:"):
        Chain(store, PREFIX).entries()
    assert {info.key: store.get(info.key) for info in store.list()} == before


def test_a_lost_tail_is_not_written_over(store: ObjectStore) -> None:
    entries = fill(store)
    removed_from_the_end(store)
    chain = Chain(store, PREFIX)
    with pytest.raises(BadDataError, match=r"entry 4: it is missing: the chain once had 4 entries"):
        chain.append(entries[2], {"late": True})
    removed_from_the_middle(store)
    for head in (entries[0], entries[1]):
        with pytest.raises(BadDataError, match="it is missing"):
            chain.append(head, {"late": True}) if head is entries[0] else chain.entries(entries[:2])
    all_removed(store)
    with pytest.raises(BadDataError, match=r"entry 1: it is missing"):
        chain.append(None, {"late": True})
    assert [info.key for info in store.list()] == [f"{PREFIX}.head.json"]


def test_nothing_is_added_after_another_end_than_the_noted_one(store: ObjectStore) -> None:
    fill(store)
    end_rewritten(store)
    forged = Entry(**json.loads(store.get(key(4))))
    with pytest.raises(BadDataError, match=r"entry 4: it is not the one that was noted"):
        Chain(store, PREFIX).append(forged, {"late": True})
    assert not store.exists(key(5))


def test_a_note_that_lags_behind_is_put_right_by_the_next_append(store: ObjectStore) -> None:
    entries = fill(store)
    note = f"{PREFIX}.head.json"
    former = store.get(note)
    chain = Chain(store, PREFIX)
    entry = chain.append(entries[-1], {"cut off": True})
    store.put(note, former)  # the process ended between the entry and its note
    assert chain.entries() == [*entries, entry]
    last = chain.append(entry, {"next": True})
    assert json.loads(store.get(note))["seq"] == last.seq == 6


def test_a_slow_writer_does_not_put_the_note_back(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = fill(store)
    put = store.put

    def slow(name: str, content: bytes) -> None:
        monkeypatch.setattr(store, "put", put)
        Chain(store, PREFIX).append(Chain(store, PREFIX).entries()[-1], {"faster": True})
        put(name, content)

    monkeypatch.setattr(store, "put", slow)
    Chain(store, PREFIX).append(entries[-1], {"slow": True})
    assert json.loads(store.get(f"{PREFIX}.head.json"))["seq"] == 6


@pytest.mark.parametrize("name", ["notes.txt", "1.json", "000000005.json.bak", "0000000005.json"])
def test_what_is_no_entry_does_not_belong_there(store: ObjectStore, name: str) -> None:
    fill(store)
    store.put(f"{PREFIX}/{name}", b"x")
    with pytest.raises(BadDataError, match=f"holds '{name}', which is no entry"):
        Chain(store, PREFIX).entries()


def test_a_lost_note_is_no_damage_and_a_spoilt_one_is(store: ObjectStore) -> None:
    entries = fill(store)
    note = f"{PREFIX}.head.json"
    spoilt = store.get(note).replace(b'"seq":4', b'"seq":3')
    store.delete(note)
    assert Chain(store, PREFIX).entries() == entries
    store.put(note, spoilt)
    with pytest.raises(BadDataError, match=r"operations\.head\.json is damaged"):
        Chain(store, PREFIX).entries()


HASH = "a" * 64


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        seal({}),
        seal({"hash": HASH}),
        seal({"seq": None, "hash": HASH}),
        seal({"seq": "four", "hash": HASH}),
        seal({"seq": "4", "hash": HASH}),
        seal({"seq": True, "hash": HASH}),
        seal({"seq": 4.0, "hash": HASH}),
        seal({"seq": 0, "hash": HASH}),
        seal({"seq": -1, "hash": HASH}),
        seal({"seq": {"seq": 4}, "hash": HASH}),
        seal({"seq": 4, "hash": None}),
        seal({"seq": 4, "hash": "short"}),
        seal({"seq": 4, "hash": HASH, "more": 1}),
    ],
)
def test_a_note_that_says_nothing_stops_reads_and_appends(store: ObjectStore, content: bytes) -> None:
    entries = fill(store, 2)
    store.put(f"{PREFIX}.head.json", content)
    chain = Chain(store, PREFIX)
    for attempt in (chain.entries, lambda: chain.append(entries[-1], {"late": True})):
        with pytest.raises(BadDataError, match=r"ledger/operations\.head\.json") as caught:
            attempt()
        assert "restore the object" in caught.value.next_step
    assert not store.exists(key(3))


def test_what_follows_an_entry_is_read_without_what_is_before_it(store: ObjectStore) -> None:
    entries, chain = fill(store), Chain(store, PREFIX)
    store.delete(key(1))
    assert chain.after(entries[1]) == entries[2:]
    assert chain.after(entries[3]) == []
    assert chain.entry(2, entries[1].hash) == entries[1]
    assert chain.entry(2, entries[2].hash) is None
    assert chain.entry(9, entries[1].hash) is None


def test_entries_after_a_note_that_lags_behind_are_found(store: ObjectStore) -> None:
    entries, chain = fill(store), Chain(store, PREFIX)
    for noted in (entries[0], entries[2]):
        store.put(f"{PREFIX}.head.json", seal({"seq": noted.seq, "hash": noted.hash}))
        assert chain.after(entries[1]) == entries[2:]
    store.delete(f"{PREFIX}.head.json")
    assert chain.after(entries[1]) == entries[2:]


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda store: store.delete(key(2)), "entry 2: it is missing, or one after it"),
        (lambda store: store.delete(key(4)), "entry 2: it is missing, or one after it"),
        (lambda store: store.put(key(2), store.get(key(1))), "entry 2: it is not the one that was noted"),
        (lambda store: store.put(key(3), store.get(key(4))), "entry 3: it does not follow"),
        (lambda store: store.put(key(4), b"{}"), "entry 4: it is not an entry"),
        (
            lambda store: store.put(f"{PREFIX}.head.json", seal({"seq": 3, "hash": "0" * 64})),
            "entry 3: it is not the one that was noted",
        ),
    ],
)
def test_a_broken_tail_is_named(store: ObjectStore, spoil: Callable[[ObjectStore], None], text: str) -> None:
    entries = fill(store)
    spoil(store)
    with pytest.raises(BadDataError, match=text):
        Chain(store, PREFIX).after(entries[1])
