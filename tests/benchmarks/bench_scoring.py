"""Seconds from two CSVs to the SpaceNet score, and the ratio to a plain loop.

    python tests/benchmarks/bench_scoring.py [--buildings 100000] [--loop-buildings 3000]

The workload is that of the reference (speed.md section 2): 40 L-shaped footprints per 900 x 900 tile,
proposals jittered, 10 % missing, IoU above 0.5, minimum area 20.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import shapely

from components.lib.metrics.counts import Counts
from components.lib.metrics.polygon_csv import read_polygon_csv
from components.lib.metrics.spacenet_f1 import score_csv

PER_TILE = 40


def write_case(folder: Path, buildings: int, seed: int = 0) -> tuple[Path, Path]:
    """Write truth and proposal CSVs; return their paths."""
    rng = np.random.default_rng(seed)
    truth, proposals = folder / "truth.csv", folder / "proposals.csv"
    with truth.open("w", newline="") as t, proposals.open("w", newline="") as p:
        true, proposed = csv.writer(t), csv.writer(p)
        true.writerow(["ImageId", "BuildingId", "PolygonWKT_Pix"])
        proposed.writerow(["ImageId", "BuildingId", "PolygonWKT_Pix", "Confidence"])
        for k in range(buildings):
            tile, cell = divmod(k, PER_TILE)
            x, y = 20 + 128 * (cell % 7) + rng.uniform(0, 40), 20 + 140 * (cell // 7) + rng.uniform(0, 40)
            w, h = rng.uniform(20, 70, 2)
            true.writerow([f"tile_{tile}", k, _l_shape(x, y, w, h)])
            if rng.random() >= 0.1:
                dx, dy = rng.normal(0, 3, 2)
                proposed.writerow([f"tile_{tile}", k, _l_shape(x + dx, y + dy, w, h), f"{rng.random():.4f}"])
    return truth, proposals


def _l_shape(x: float, y: float, w: float, h: float) -> str:
    corners = [(0, 0), (w, 0), (w, h / 2), (w / 2, h / 2), (w / 2, h), (0, h), (0, 0)]
    return "POLYGON ((" + ", ".join(f"{x + a:.2f} {y + b:.2f}" for a, b in corners) + "))"


def loop_score(truth: Path, proposals: Path, min_area: float, iou: float) -> Counts:
    """The same score by plain loops over every pair of a tile."""
    true, proposed = read_polygon_csv(truth), read_polygon_csv(proposals)
    free = {k for k in range(len(true.geometry)) if true.geometry[k].area >= min_area}
    tiles: dict[str, set[int]] = {}
    for k in free:
        tiles.setdefault(true.tiles[k], set()).add(k)
    tp = fp = 0
    for j in np.argsort(-proposed.confidence, kind="stable"):
        polygon = proposed.geometry[j]
        if polygon.area <= min_area:
            continue
        candidates = tiles.get(proposed.tiles[j], set())
        scored = [(_iou(true.geometry[k], polygon), -k) for k in candidates if k in free]
        best, key = max(scored, default=(0.0, 0))
        if best > iou:
            free.discard(-key)
            tp += 1
        else:
            fp += 1
    return Counts(tp, fp, len(free))


def _iou(a: shapely.Polygon, b: shapely.Polygon) -> float:
    if not a.intersects(b):
        return 0.0
    return float(a.intersection(b).area / a.union(b).area)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buildings", type=int, default=100_000, help="for the timing (default 100000)")
    parser.add_argument("--loop-buildings", type=int, default=3_000, help="for the ratio (default 3000)")
    parser.add_argument("--repeats", type=int, default=5, help="runs, the median counts (default 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        truth, proposals = write_case(Path(name), arguments.buildings)
        for threads in (1, 2):
            wall, cpu, score = _time(truth, proposals, threads, arguments.repeats)
            print(
                f"{arguments.buildings} buildings, {threads} thread(s): "
                f"{wall:.2f} s wall, {cpu:.2f} s CPU, {score}"
            )
        truth, proposals = write_case(Path(name), arguments.loop_buildings)
        wall, _, score = _time(truth, proposals, 2, arguments.repeats)
        start = time.perf_counter()
        same = loop_score(truth, proposals, 20, 0.5)
        loop = time.perf_counter() - start
        assert same == score, (same, score)
        print(
            f"{arguments.loop_buildings} buildings: loop {loop:.2f} s, here {wall:.3f} s: "
            f"{loop / wall:.0f} times as fast, same counts ({os.cpu_count()} cores)"
        )


def _time(truth: Path, proposals: Path, threads: int, repeats: int) -> tuple[float, float, Counts]:
    walls, cpus = [], []
    for _ in range(repeats + 1):  # the first warms up
        wall, cpu = time.perf_counter(), time.process_time()
        score = score_csv(truth, proposals, 20, 0.5, threads=threads)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return float(np.median(walls[1:])), float(np.median(cpus[1:])), score


if __name__ == "__main__":
    main()
