"""Cost of the metrics at 100, 1,000 and 10,000 ended runs: first reading, a following one, answers.

    python tests/benchmarks/bench_exporter.py [--runs 100 1000 10000] [--kept 50] [--stages 40]

Each run was started by one more acquisition and trained all that were there; of the newest ``--kept`` runs
the records are kept, with so many stages, metrics and a decision: 50 is the policy that params.yaml has. The
store is in memory, so seconds are those of this process alone; requests say what a real store adds. The
following reading comes after one more acquisition and one more run. ``answer`` is ``/metrics`` over HTTP on
the loopback, the slowest of 20.
"""

from __future__ import annotations

import argparse
import resource
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any, cast

from components.contract.hashing import seal
from components.contract.keys import OPERATIONS, run_record_key
from components.exporter.parameters import Places
from components.exporter.server import Exporter, open_server
from components.exporter.sources import Sources
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan
from components.lib.operations.state import State
from tests.benchmarks.bench_ledger import CODE, LEASE, PARAMS, RECORD, Counting, Sorted, events, write
from tests.conftest import ROOT
from tests.lib.history.ledgers import decision_document

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERS = 20


def run_record(run: str, key: str, stages: int) -> dict[str, Any]:
    """Return the record of a finished training with as much in it as the real one has."""
    names = [f"download@p{number:02d}" for number in range(stages)]
    decision = decision_document("refused", BEGIN)
    metrics = {f"reports/stage-{number}/metrics.json": {"iou": 0.5, "seconds": 9.0} for number in range(12)}
    validated = {"tiles": 3000, "quarantined": 2, "rules": {"all_zero": 2}}
    return {
        "run": run,
        "key": key,
        "params": {name: {"params.yaml": {"training.batch": 8, "distill.epochs": 4}} for name in names},
        "data": {f"data/{name}": "0" * 32 for name in names},
        "bytes": dict.fromkeys(names, 1000),
        "images": dict.fromkeys(names, "registry.example.com/stormsight-data@sha256:" + "0" * 64),
        "stages": {
            name: {
                "run": run,
                "started": (BEGIN + timedelta(minutes=number)).isoformat(),
                "ended": (BEGIN + timedelta(minutes=number + 1)).isoformat(),
                "seconds": {"pull": 1.0, "run": 50.0, "push": 1.0, "whole": 52.0},
                "restored": False,
            }
            for number, name in enumerate(names)
        },
        "metrics": {**metrics, "reports/validate/metrics.json": validated},
        "decision": decision,
        "simulated": True,
        "started": BEGIN.isoformat(),
        "ended": BEGIN.isoformat(),
    }


def write_records(store: Sorted, state: State, kept: int, stages: int) -> None:
    """Write the records of the newest trainings."""
    for key in list(state.claims)[-kept:]:
        store.objects[run_record_key(key)] = seal(run_record(state.claims[key].run, key, stages))


def one_more(store: Sorted, stages: int) -> None:
    """Train once more."""
    operations = Operations(store)
    request = ClaimRequest(run="one-more", code=CODE, params=PARAMS.replace("d", "e"))
    plan = operations.claim(request, lease=LEASE)
    assert isinstance(plan, RunPlan)
    store.objects[run_record_key(plan.key)] = seal(run_record("one-more", plan.key, stages))
    operations.succeeded("one-more", record_sha256=RECORD, promoted=False)


def measure(runs: int, kept: int, stages: int) -> None:
    """Print the lines of one number of runs."""
    store = Sorted()
    write(store, events(runs))
    write_records(store, Operations(store).state(), kept, stages)
    counting = Counting(store)
    places = Places(cast("ObjectStore", counting), Sorted(), None, ROOT, None)
    exporter = Exporter(Sources(places), interval=30)
    line(runs, "first reading", counting, exporter.read)
    line(runs, "following reading, nothing new", counting, exporter.read)
    one_more(store, stages)
    line(runs, "following reading, one more run", counting, exporter.read)
    reading = exporter.read()
    assert set(reading.failed) <= {"pipeline"}, reading.failed
    server = open_server(exporter, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    taken = []
    for _ in range(ANSWERS):
        start = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request("GET", "/metrics")
        body = connection.getresponse().read()
        taken.append(time.perf_counter() - start)
        connection.close()
    server.shutdown()
    server.server_close()
    assert f'stormsight_runs_total{{outcome="succeeded"}} {runs + 1}.0'.encode() in body
    sys.stdout.write(f"| {runs:,} | answer of /metrics, {len(body) / 1e3:.0f} kB | {max(taken):.3f} | | |\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    sys.stdout.write(f"| {runs:,} | memory at its highest, with the store | | | {peak:.0f} |\n")
    sys.stdout.flush()


def line(runs: int, label: str, counting: Counting, what: Callable[[], object]) -> None:
    """Print one line of the table."""
    counting.requests, counting.bytes = 0, 0
    start, used = time.perf_counter(), time.process_time()
    what()
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    cost = f"{seconds:.2f} ({cpu:.2f} CPU) | {counting.requests:,} | {counting.bytes / 1e6:.2f}"
    sys.stdout.write(f"| {runs:,} | {label} | {cost} |\n")
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--kept", type=int, default=50)
    parser.add_argument("--stages", type=int, default=40)
    options = parser.parse_args()
    sys.stdout.write(f"{OPERATIONS}: {options.kept} trainings with records of {options.stages} stages\n")
    sys.stdout.write("| runs | call | s | requests | MB |\n| --- | --- | --- | --- | --- |\n")
    for runs in options.runs:
        measure(runs, options.kept, options.stages)


if __name__ == "__main__":
    main()
