"""Snapshots: a cache that makes reading cheap, and whose damage nobody notices but the verification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, ResourceError, SourceUnavailableError, StormsightError
from components.contract.hashing import seal, sha256_json
from components.contract.identity import training_key
from components.contract.keys import OPERATIONS, entry_key, head_key, snapshot_key
from components.housekeeping.verify import verify
from components.lib.ledger.chain import Chain
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import Objects
from components.lib.objects.sealed import unseal
from components.lib.operations import snapshots
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan, read_plan
from components.lib.operations.state import State
from tests.lib.operations.stepping import Memory

LEASE = timedelta(hours=72)
CODE, PARAMS, RECORD = "c" * 64, "d" * 64, "e" * 64
SNAPSHOT = snapshot_key(OPERATIONS)
EVERY = 10


class Counting(Memory):
    """Store that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        self.asked[key] += 1
        return super().get(key)

    def list(self, prefix: str = "") -> Objects:
        self.asked[f"list {prefix}"] += 1
        return super().list(prefix)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a snapshot after few entries already."""
    monkeypatch.setattr(snapshots, "EVERY", EVERY)


@pytest.fixture
def store() -> Counting:
    return Counting()


def register(store: Memory, first: int, last: int) -> None:
    operations = Operations(store)
    for number in range(first, last):
        event = Registered(
            acquisition=f"a-{number}", catalogue_sha256=f"{number:064x}", marker_sha256="f" * 64
        )
        operations.register(event)


def history(store: Memory) -> None:
    """Write a ledger of all kinds of events: claims of sets that grow and shrink, ends of each kind."""
    register(store, 0, 6)
    operations = Operations(store)
    for number, end in enumerate(["ok", "evicted", "silent", "bad_data", "ok", "silent"]):
        run = f"run-{number}"
        request = ClaimRequest(run=run, code=CODE, params=PARAMS, profile="smoke")
        assert isinstance(operations.claim(request, lease=LEASE), RunPlan)
        if end == "ok":
            operations.succeeded(run, record_sha256=RECORD, promoted=True)
        elif end != "silent":
            operations.failed(run, failure_class=end, stage="train", message="a test")
        register(store, 10 + number, 11 + number)
        if number % 2:
            operations.withdraw(f"a-{number}", "a test")


def truth(store: Memory) -> State:
    return State.from_entries(Chain(store, OPERATIONS).entries())


def read(store: Memory) -> State:
    return Operations(store).state()


def test_a_snapshot_and_a_tail_are_what_the_whole_chain_is(store: Counting) -> None:
    history(store)
    assert Operations(store).verify_snapshot() is not None
    found, right = read(store), truth(store)
    assert found == right
    assert (list(found.registered), list(found.withdrawn)) == (list(right.registered), list(right.withdrawn))
    assert found.trained == right.trained
    assert [found.acquisitions_of(c) for c in found.claims.values()] == [
        right.acquisitions_of(c) for c in right.claims.values()
    ]


def test_requests_do_not_grow_with_the_chain(store: Counting) -> None:
    counts = []
    for length in (40, 400):
        register(store, len(truth(store).registered), length + 5)
        store.asked.clear()
        read(store)
        counts.append(store.asked.total())
        assert not [name for name in store.asked if name.startswith("list")]
    assert max(counts) <= EVERY + 5


def test_a_second_look_reads_nothing_twice_but_the_head(store: Counting) -> None:
    register(store, 0, 25)
    operations = Operations(store)
    first = operations.state()
    store.asked.clear()
    assert operations.state() == first
    assert store.asked == {
        head_key(OPERATIONS): 1,
        entry_key(OPERATIONS, 25): 1,
        entry_key(OPERATIONS, 26): 1,
    }
    register(store, 25, 27)
    assert operations.state() == truth(store)


def test_a_claim_names_its_set_by_hash(store: Counting) -> None:
    sizes = []
    for count in (1, 100):
        register(store, len(truth(store).registered), count)
        plan = Operations(store).claim(
            ClaimRequest(run=f"run-{count}", code=CODE, params=PARAMS), lease=LEASE
        )
        assert isinstance(plan, RunPlan)
        body = Chain(store, OPERATIONS).entries()[-1].body
        held = {item.id: item.sha256 for item in plan.acquisitions}
        assert body["acquisitions_sha256"] == sha256_json(held)
        assert body["key"] == training_key(held, CODE, PARAMS)
        sizes.append(len(str(body)))
    assert sizes[0] + 2 == sizes[1], "only the run's name is longer"


def test_entries_of_former_code_that_hold_the_set_stay_readable(store: Counting) -> None:
    register(store, 0, 2)
    held = {"a-0": f"{0:064x}", "a-1": f"{1:064x}"}
    chain = Chain(store, OPERATIONS)
    former = {
        "event": "claimed",
        "key": training_key(held, CODE, PARAMS),
        "run": "run-1",
        "acquisitions": held,
        "code": CODE,
        "params": PARAMS,
        "profile": None,
        "forced": False,
    }
    chain.append(chain.entries()[-1], former)
    register(store, 2, 30)
    operations = Operations(store)
    assert len(operations.verify()) == 31
    assert operations.verify_snapshot() is not None
    for state in (read(store), truth(store)):
        claim = state.claim_of("run-1")
        assert claim is not None
        assert state.acquisitions_of(claim) == held
    # Killed before it sealed its plan: the plan is made from the ledger alone.
    plan = Operations(store).claim(ClaimRequest(run="run-1", code=CODE, params=PARAMS), lease=LEASE)
    assert isinstance(plan, RunPlan)
    assert {item.id: item.sha256 for item in plan.acquisitions} == held
    assert read_plan(store, "run-1") == plan


DAMAGE: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda content: content[: len(content) // 2],
    lambda content: content.replace(b"a-1", b"a-9"),
    lambda _: seal({"of": "something else"}),
    lambda content: seal({**unseal(content), "seq": 3}),
    lambda content: seal({**unseal(content), "seq": 1000}),
    lambda content: seal({**unseal(content), "hash": "0" * 64}),
    lambda content: seal({**unseal(content), "registered": "all"}),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_useless_snapshot_is_ignored_told_and_made_anew(
    store: Counting, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    history(store)
    store.objects[SNAPSHOT] = damage(store.objects[SNAPSHOT])
    assert read(store) == truth(store)
    assert "snapshot ignored" in caplog.text
    with pytest.raises(BadDataError, match=r"operations\.snapshot\.json"):
        Operations(store).verify_snapshot()
    register(store, 100, 101)
    assert Operations(store).verify_snapshot() == len(Operations(store).verify())


def test_a_snapshot_of_the_first_form_is_none(store: Counting, caplog: pytest.LogCaptureFixture) -> None:
    history(store)
    record = unseal(store.get(SNAPSHOT))
    del record["form"], record["times"]
    store.put(SNAPSHOT, seal(record))
    assert Operations(store).state() == State.from_entries(Operations(store).verify())
    assert Operations(store).verify_snapshot() is None
    assert not caplog.records


def test_a_forged_snapshot_is_found_by_the_verification(store: Counting) -> None:
    history(store)
    record = unseal(store.objects[SNAPSHOT])
    cases: list[tuple[dict[str, object], str]] = [
        ({"withdrawn": []}, "the ledger does not go on from it: operations ledger, entry"),
        ({"runs": {**record["runs"], "run-9": RECORD}}, r"it is not what the entries up to \d+ add up to"),
    ]
    for forged, text in cases:
        store.objects[SNAPSHOT] = seal({**record, **forged})
        with pytest.raises(BadDataError, match=rf"snapshot\.json: {text}"):
            Operations(store).verify_snapshot()


def test_a_lost_tail_shows_with_a_snapshot_too(store: Counting) -> None:
    register(store, 0, 25)
    del store.objects[entry_key(OPERATIONS, 25)]
    with pytest.raises(BadDataError, match=r"entry 25: it is missing: the chain once had 25 entries"):
        read(store)


def test_the_nightly_verification_compares_the_snapshot(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    operations = Operations(store)
    for number in range(12):
        operations.register(
            Registered(acquisition=f"a-{number}", catalogue_sha256="0" * 64, marker_sha256="f" * 64)
        )
    states = {finding.subject: finding for finding in verify(store)}
    assert states[SNAPSHOT].sound
    assert states[SNAPSHOT].state == "as the entries up to 10 add up to"
    store.put(SNAPSHOT, b"{}")
    states = {finding.subject: finding for finding in verify(store)}
    assert not states[SNAPSHOT].sound
    assert states[OPERATIONS].sound


@pytest.mark.parametrize("kind", [SourceUnavailableError, ResourceError])
def test_an_append_stands_though_no_snapshot_could_be_written(
    store: Counting,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[StormsightError],
) -> None:
    put = store.put

    def refuse(key: str, content: bytes) -> None:
        if key == SNAPSHOT:
            raise kind("the disk is full", next_step="make room")
        put(key, content)

    monkeypatch.setattr(store, "put", refuse)
    register(store, 0, 15)
    assert len(Operations(store).verify()) == 15
    assert "no snapshot was written: the disk is full" in caplog.text
