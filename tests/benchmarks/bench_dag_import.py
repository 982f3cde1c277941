"""Seconds that importing our DAG files costs over a bare Airflow SDK and pod provider import.

    python tests/benchmarks/bench_dag_import.py [--repeats 5]

Each figure is taken in a process of its own, bare and ours in turn, so that both meet the same machine; what
counts is the median. Airflow forks its parsing processes from one that has imported Airflow already: the
difference is what each parse of a DAG file pays.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEPLOYMENT = ROOT / "k8s" / "overlays" / "lab" / "deployment.yaml"

BARE = """\
import time; start = time.perf_counter(), time.process_time()
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, BaseOperator, BaseSensorOperator, TaskGroup
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
bare = time.perf_counter(), time.process_time()
"""

OURS = """\
import {names}
ours = time.perf_counter(), time.process_time()
print(*(b - a for a, b in zip(start, bare)), *(b - a for a, b in zip(bare, ours)))
"""

DAGS = ("acquisitions", "housekeeping", "retrain")


def measure(names: str, mode: str, home: str) -> list[float]:
    """Seconds of the bare import (wall, CPU), and of ours after it (wall, CPU)."""
    environment = os.environ | {"AIRFLOW_HOME": home, "PYTHONPATH": f"{ROOT}:{ROOT / 'dags'}"}
    environment.pop("STORMSIGHT_DEPLOYMENT", None)
    if mode == "kubernetes":
        environment["STORMSIGHT_DEPLOYMENT"] = str(DEPLOYMENT)
    result = subprocess.run(
        [sys.executable, "-c", BARE + OURS.format(names=names)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in result.stdout.split()[-4:]]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="processes per figure (default 5)")
    repeats = parser.parse_args().repeats
    every = ", ".join(DAGS)
    rows = [(every, "kubernetes"), (every, "local"), *((name, "kubernetes") for name in DAGS)]
    with tempfile.TemporaryDirectory() as home:
        measure(every, "kubernetes", home)  # writes Airflow's configuration and the bytecode
        for names, mode in rows:
            samples = [measure(names, mode, home) for _ in range(repeats)]
            wall, cpu, more, more_cpu = (statistics.median(column) for column in zip(*samples, strict=True))
            print(
                f"{names:36} {mode:10}  bare {wall:5.2f} s ({cpu:4.2f} s CPU)   "
                f"ours {more:5.2f} s more ({more_cpu:4.2f} s CPU)"
            )


if __name__ == "__main__":
    main()
