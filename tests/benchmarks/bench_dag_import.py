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
import time; start = time.perf_counter()
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, BaseOperator, BaseSensorOperator, TaskGroup
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
bare = time.perf_counter() - start
"""

OURS = """\
start = time.perf_counter()
import acquisitions, housekeeping, retrain
print(bare, time.perf_counter() - start)
"""

ONE = """\
start = time.perf_counter()
import {name}
print(bare, time.perf_counter() - start)
"""


def measure(code: str, mode: str, home: str) -> tuple[float, float]:
    """Seconds of the bare import, and of ours after it."""
    environment = os.environ | {"AIRFLOW_HOME": home, "PYTHONPATH": str(ROOT / "dags")}
    environment.pop("STORMSIGHT_DEPLOYMENT", None)
    if mode == "kubernetes":
        environment["STORMSIGHT_DEPLOYMENT"] = str(DEPLOYMENT)
    result = subprocess.run(
        [sys.executable, "-c", BARE + code],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    bare, ours = result.stdout.split()[-2:]
    return float(bare), float(ours)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="processes per figure (default 5)")
    repeats = parser.parse_args().repeats
    rows = [("all three", mode, OURS) for mode in ("kubernetes", "local")]
    rows += [
        (name, "kubernetes", ONE.format(name=name)) for name in ("acquisitions", "housekeeping", "retrain")
    ]
    with tempfile.TemporaryDirectory() as home:
        measure(OURS, "kubernetes", home)  # writes Airflow's configuration and the bytecode
        for name, mode, code in rows:
            pairs = [measure(code, mode, home) for _ in range(repeats)]
            bare, ours = (statistics.median(values) for values in zip(*pairs, strict=True))
            print(f"{name:12} {mode:10}  bare {bare:5.2f} s   ours {ours:5.2f} s more")


if __name__ == "__main__":
    main()
