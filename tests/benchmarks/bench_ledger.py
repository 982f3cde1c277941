"""Cost of the operations ledger: plan, register and verify at 100, 1,000 and 10,000 acquisitions.

    python tests/benchmarks/bench_ledger.py [--acquisitions 100 1000 10000] [--s3]

Each acquisition was registered, claimed with all before it, and trained: three entries. Seconds, requests and
bytes (read and written) are those of one call by a fresh process, on a store in memory; with ``--s3``
register and plan are measured against moto over HTTP too, which then holds the snapshot, the note and the
last entries: nothing else is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import boto3

from components.contract.hashing import seal
from components.contract.keys import OPERATIONS, entry_key, head_key, snapshot_key
from components.lib.ledger.chain import Chain, Entry
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations import snapshots
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Claimed, Event, Registered, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.pending import PendingSet
from components.lib.operations.plan import RunPlan
from components.lib.operations.state import State
from tests.lib.operations.stepping import Memory
from tests.s3_server import s3_server

LEASE = timedelta(hours=72)
CODE, PARAMS, RECORD = "c" * 64, "d" * 64, "e" * 64


class Counting:
    """Store that counts requests and bytes, and hands all else through."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.requests = 0
        self.bytes = 0

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        if name not in {"get", "exists", "create", "put", "list"}:
            return found

        def counted(*arguments: object) -> object:
            result = found(*arguments)
            pages = len(result) // 1000 if name == "list" else 0
            self.requests += 1 + pages
            self.bytes += sum(len(one) for one in (*arguments, result) if isinstance(one, bytes))
            return result

        return counted


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


def measure(label: str, acquisitions: int, store: ObjectStore, what: Callable[[ObjectStore], None]) -> None:
    """Print one line of the table."""
    counting = Counting(store)
    start = time.perf_counter()
    what(counting)  # type: ignore[arg-type]
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
        memory = Memory()
        write(memory, events(acquisitions))
        ledger = sum(len(c) for k, c in memory.objects.items() if k.startswith(f"{OPERATIONS}/"))
        snapshot = len(memory.objects[snapshot_key(OPERATIONS)])
        before = dict(memory.objects)
        measure("register", acquisitions, memory, register)
        measure("plan", acquisitions, memory, plan)
        measure("verify", acquisitions, memory, verify)
        sizes = f"{ledger / 1e6:.2f} and {snapshot / 1e6:.2f}"
        sys.stdout.write(f"| {acquisitions:,} | size of ledger and snapshot | | | {sizes} |\n")
        memory.objects = before
        if options.s3:
            over_http(memory, acquisitions)


if __name__ == "__main__":
    main()
