"""Benchmark of the dashboard: seconds of each page with many runs, through the whole application.

    python -m tests.benchmarks.bench_dashboard [--runs 1000] [--rounds 50]

Every second round is of a new look at the sources, whose pages are made anew; equal charts are drawn once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient

from components.dashboard.app import make_app
from components.dashboard.snapshot import Snapshot
from tests.dashboard.world import many_runs

ADDRESSES = (
    "index.html", "runs.html", "runs-7.html", "run/scheduled-00999.html", "scores.html", "cost.html",
    "charts/score-stormsight-sar-light-wide.svg", "charts/run-scheduled-00999-dark-wide.svg",
)  # fmt: skip


def main() -> None:
    """Print median, 95th percentile and maximum of each address, and the CPU seconds behind them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    looks = [Snapshot(read_at=datetime(2026, 11, 2, tzinfo=UTC), runs=many_runs(options.runs))]
    client = TestClient(make_app(lambda: looks[0]), base_url="http://localhost")
    taken: dict[str, list[tuple[float, float]]] = {address: [] for address in ADDRESSES}
    client.get("/charts/cost-light-wide.svg")  # the first chart of a process starts the drawing engine
    for number in range(options.rounds):
        if number % 2 == 0:
            looks[0] = replace(looks[0], read_at=looks[0].read_at + timedelta(seconds=15))
        for address in ADDRESSES:
            start, used = time.perf_counter(), time.process_time()
            answer = client.get(f"/{address}")
            taken[address].append((time.perf_counter() - start, time.process_time() - used))
            assert answer.status_code == 200, address
    print(f"{options.runs} runs, {options.rounds} rounds, milliseconds")
    print(f"{'address':48s} {'median':>8s} {'p95':>8s} {'max':>8s} {'CPU p95':>8s}")
    for address, pairs in [*taken.items(), ("all", [pair for found in taken.values() for pair in found])]:
        seconds, cpu = [wall for wall, _ in pairs], [used for _, used in pairs]
        p95, cpu95 = (statistics.quantiles(values, n=20)[-1] for values in (seconds, cpu))
        row = (statistics.median(seconds), p95, max(seconds), cpu95)
        print(f"{address:48s} " + " ".join(f"{1000 * value:8.1f}" for value in row))


if __name__ == "__main__":
    main()
