"""Cost of the ledgers: plan, register, verify, prune and promote at 100, 1,000 and 10,000 acquisitions.

    python tests/benchmarks/bench_ledger.py [--acquisitions 100 1000 10000] [--s3]

Each acquisition was registered, claimed with all before it, and trained: three entries. Seconds, requests and
bytes (read and written) are those of one call by a fresh process, on a store in memory; with ``--s3``
register and plan are measured against moto over HTTP too, which then holds the snapshot, the note and the
last entries: nothing else is asked for.

``prune`` is the one of a night on which one training more than is kept had finished, of 50: all
acquisitions have a delivery, and the trainings of long ago are in the ledger alone. ``champion`` reads a
history of as many promotions twice, as a command does that checks it before and after, and appends one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from components.contract.hashing import canonical_json, seal
from components.contract.keys import (
    CHAMPIONS,
    OPERATIONS,
    champion_chain,
    delivery_prefix,
    entry_key,
    head_key,
    plan_key,
    run_record_key,
    snapshot_key,
    stage_record_key,
)
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.prune import prune
from components.lib.ledger import copied
from components.lib.ledger.chain import Chain, Entry
from components.lib.ledger.copied import CopiedChain
from components.lib.objects.content import content_key
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore
from components.lib.operations import snapshots
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Claimed, Event, Registered, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.pending import PendingSet
from components.lib.operations.plan import RunPlan
from components.lib.operations.state import State
from components.lib.registry.ledger import ChampionChange, ChampionLedgers
from tests.lib.operations.stepping import START, Memory
from tests.s3_server import s3_server

LEASE = timedelta(hours=72)
CODE, PARAMS, RECORD = "c" * 64, "d" * 64, "e" * 64
MODEL, KEPT, FILES = "stormsight-sar", 50, 10
"""Model, trainings that pruning keeps, and files of each."""


class Counting:
    """Store that counts requests and bytes, and hands all else through."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.requests = 0
        self.bytes = 0

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        if name not in {"get", "exists", "create", "put", "list", "folders", "delete"}:
            return found

        def counted(*arguments: object) -> object:
            result = found(*arguments)
            pages = len(result) // 1000 if name in {"list", "folders"} else 0
            self.requests += 1 + pages
            self.bytes += sum(len(one) for one in (*arguments, result) if isinstance(one, bytes))
            return result

        return counted


class Sorted(Memory):
    """Store in memory that lists a prefix without looking at all keys."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[str] = []

    def put(self, key: str, content: bytes) -> None:
        super().put(key, content)
        self._keys = []

    def delete(self, key: str) -> None:
        super().delete(key)
        self._keys = []

    def list(self, prefix: str = "") -> Objects:
        if len(self._keys) != len(self.objects):
            self._keys = sorted(self.objects)
        last = bisect_left(self._keys, prefix + "\U0010ffff")
        keys = self._keys[bisect_left(self._keys, prefix) : last]
        return [ObjectInfo(key, len(self.objects[key]), START, "1") for key in keys]


def events(acquisitions: int) -> Iterator[Event]:
    """Yield the events of a ledger in which each acquisition led to a training."""
    pending = PendingSet({})
    for number in range(acquisitions):
        name, sha256, run = f"acquisition-{number:06d}", f"{number:064x}", f"run-{number}"
        yield Registered(acquisition=name, catalogue_sha256=sha256, marker_sha256=RECORD)
        pending.add(name, sha256)
        key = pending.training_key(CODE, PARAMS)
        yield Claimed(key=key, run=run, acquisitions_sha256=pending.sha256, code=CODE, params=PARAMS)
        yield Succeeded(key=key, run=run, record_sha256=RECORD, promoted=True)


def write(store: Memory, history: Iterable[Event]) -> None:
    """Write a ledger as its writers leave it: entries, the snapshot 50 entries before the end, the note."""
    chain, entries = Chain(store, OPERATIONS), list[Entry]()
    for event in history:
        head = entries[-1] if entries else None
        entries.append(chain.next_entry(head, {**event.body(), "actor": "benchmark"}))
        store.objects[entry_key(OPERATIONS, entries[-1].seq)] = entries[-1].content()
    early = entries[: -snapshots.EVERY // 2]
    view = snapshots.View(early[-1], State.from_entries(early), len(early))
    snapshots.SnapshotReader(store, chain, OPERATIONS).save(view)
    store.objects[head_key(OPERATIONS)] = seal({"seq": entries[-1].seq, "hash": entries[-1].hash})


def register(store: ObjectStore) -> None:
    """Register one more acquisition."""
    event = Registered(acquisition="one-more", catalogue_sha256=RECORD, marker_sha256=RECORD)
    assert Operations(store).register(event)


def plan(store: ObjectStore) -> None:
    """Claim all acquisitions and seal the plan."""
    request = ClaimRequest(run="one-more", code=CODE, params=PARAMS)
    assert isinstance(Operations(store).claim(request, lease=LEASE), RunPlan)


def verify(store: ObjectStore) -> None:
    """Fold the chain from its first entry, and compare the snapshot with it."""
    operations = Operations(store)
    operations.verify()
    assert operations.verify_snapshot() is not None


def write_history(store: Memory, state: State) -> Memory:
    """Write what a night finds: a delivery of each acquisition, and the last trainings; return their data."""
    remote = Sorted()
    for name, event in state.registered.items():
        store.objects[f"{delivery_prefix(name, event.marker_sha256)}a.tif"] = b"tile"
    for key in list(state.claims)[-KEPT - 1 :]:
        run = state.claims[key].run
        files = [_content(remote, f"{run} {number}".encode()) for number in range(FILES)]
        listed = [{"md5": md5, "relpath": str(number)} for number, md5 in enumerate(files)]
        folder = _content(remote, canonical_json(listed), ".dir")
        for stage in ("prepare", "distill", "evaluate"):
            lock = {"outs": [{"path": f"data/{stage}", "md5": folder}]}
            store.objects[stage_record_key(key, stage)] = seal({"stage": stage, "lock": lock})
        store.objects[run_record_key(key)] = seal({"run": run})
        store.objects[plan_key(run)] = seal({"run": run})
    return remote


def _content(store: Memory, content: bytes, suffix: str = "") -> str:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    store.objects[content_key(md5)] = content
    return md5


def prune_night(remote: Memory, store: Counting) -> None:
    """Prune the oldest of the trainings that have records."""
    policy = Policy(keep_runs=KEPT, keep_gb=None, keep_cache_days=0, keep_deliveries_days=30, abandoned_h=72)
    data = Counting(remote)
    freed = prune(Places(store, data, Path("/nowhere")), policy).freed  # type: ignore[arg-type]
    store.requests, store.bytes = store.requests + data.requests, store.bytes + data.bytes
    assert sum(one.objects for one in freed) == 5 + FILES + 1, freed


def write_champions(store: Memory, promotions: int) -> None:
    """Write a model's history and its copy."""
    chain, entries = CopiedChain(store, champion_chain(MODEL)), list[Entry]()
    for number in range(promotions):
        change = ChampionChange(
            action="promote",
            model=MODEL,
            version=str(number + 1),
            previous_version=str(number) if number else None,
            decision=RECORD,
            reason="benchmark",
            files={"model.json": RECORD, "weights.safetensors": RECORD},
        )
        entries.append(chain.next_entry(entries[-1] if entries else None, change.body()))
        store.objects[entry_key(champion_chain(MODEL), entries[-1].seq)] = entries[-1].content()
    early = [asdict(entry) for entry in entries[: -copied.EVERY // 2]]
    store.objects[snapshot_key(champion_chain(MODEL))] = seal({"entries": early})
    last = entries[-1]
    store.objects[head_key(champion_chain(MODEL))] = seal({"seq": last.seq, "hash": last.hash})


def promote(store: ObjectStore) -> None:
    """Read a model's history twice and append a promotion."""
    ledger = ChampionLedgers(store, CHAMPIONS).of(MODEL)
    ledger.entries()
    head = ledger.entries()[-1]
    version = str(head.seq + 1)
    change = replace(head.change, version=version, previous_version=head.version)
    ledger.append(ledger.next_entry(head, change))


def measure(label: str, acquisitions: int, store: ObjectStore, what: Callable[[Any], None]) -> None:
    """Print one line of the table."""
    counting = Counting(store)
    start = time.perf_counter()
    what(counting)
    seconds = time.perf_counter() - start
    cost = f"{seconds:.2f} | {counting.requests:,} | {counting.bytes / 1e6:.2f}"
    sys.stdout.write(f"| {acquisitions:,} | {label} | {cost} |\n")
    sys.stdout.flush()


def over_http(memory: Memory, acquisitions: int) -> None:
    """Measure against moto over HTTP; what the calls ask for is copied there first."""
    with s3_server() as url:
        os.environ |= {
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
        }
        bucket = f"stormsight-{uuid.uuid4().hex[:12]}"
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
        store = open_objects(f"s3://{bucket}")
        wanted = {key for key in memory.objects if not key.startswith(f"{OPERATIONS}/")}
        wanted |= set(sorted(memory.objects.keys() - wanted)[-2 * snapshots.EVERY :])
        for key in sorted(wanted):
            store.put(key, memory.objects[key])
        measure("register, moto", acquisitions, store, register)
        measure("plan, moto", acquisitions, store, plan)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--acquisitions", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--s3", action="store_true", help="measure against moto too")
    options = parser.parse_args()
    sys.stdout.write("| acquisitions | call | s | requests | MB |\n| --- | --- | --- | --- | --- |\n")
    for acquisitions in options.acquisitions:
        memory = Sorted()
        write(memory, events(acquisitions))
        ledger = sum(len(c) for k, c in memory.objects.items() if k.startswith(f"{OPERATIONS}/"))
        snapshot = len(memory.objects[snapshot_key(OPERATIONS)])
        before = dict(memory.objects)
        measure("register", acquisitions, memory, register)
        measure("plan", acquisitions, memory, plan)
        measure("verify", acquisitions, memory, verify)
        memory.objects = dict(before)
        remote = write_history(memory, Operations(memory).state())
        measure("prune", acquisitions, memory, partial(prune_night, remote))
        memory.objects = {}
        write_champions(memory, acquisitions)
        measure("champion", acquisitions, memory, promote)
        sizes = f"{ledger / 1e6:.2f} and {snapshot / 1e6:.2f}"
        sys.stdout.write(f"| {acquisitions:,} | size of ledger and snapshot | | | {sizes} |\n")
        memory.objects = before
        if options.s3:
            over_http(memory, acquisitions)


if __name__ == "__main__":
    main()
