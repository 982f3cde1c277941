"""Seconds and memory of tracing a mask of roads, and the ratio to a plain loop over pixels.

    python -m tests.benchmarks.bench_tracing [--side 4000] [--memory]

The mask is a jittered grid of roads of 7 m, 80 m apart, at 0.3 m per pixel, with holes of single pixels. The
plain loop turns the skeleton into nodes and edges, as sknw does without a compiler; cleaning and skeleton are
scikit-image's and SciPy's on both sides and left out of the ratio.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize

from components.lib.geo.geoarray import PixelTransform
from components.lib.roads.tracing.chains import edges_of
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.rules import PIXEL_M, TracingRules
from components.lib.roads.tracing.skeleton import cleaned, skeleton_of
from components.lib.roads.tracing.trace import trace_roads
from components.lib.roads.tracing.widths import half_widths

T = TypeVar("T")
Pixels = npt.NDArray[np.bool_]
SQUARE = (PIXEL_M, PIXEL_M)


def mask(side: int, seed: int = 0) -> RoadMask:
    """Return the mask of ``side`` x ``side`` pixels."""
    rng = np.random.default_rng(seed)
    count, step = max(2, round(side * PIXEL_M / 80.0)), 80.0 / PIXEL_M
    xy = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1) * step + step / 2
    xy = xy + rng.uniform(-0.1 * step, 0.1 * step, xy.shape)
    lines = [shapely.LineString(xy[i, j : j + 2]) for i in range(count) for j in range(count - 1)]
    lines += [shapely.LineString(xy[i : i + 2, j]) for i in range(count - 1) for j in range(count)]
    wide = shapely.buffer(np.array(lines), 3.5 / PIXEL_M)
    road = rasterize([(shape, 1) for shape in wide], (side, side), dtype="uint8").astype(bool)
    for row in range(side):
        road[row] &= rng.random(side) > 1e-4
    transform = PixelTransform.north_up(x_left_m=500_000.0, y_top_m=4_000_000.0, gsd_m=PIXEL_M)
    return RoadMask(road=road, transform=transform, crs="EPSG:32631")


def plain_edges(skeleton: Pixels) -> tuple[int, float]:
    """Return the number and the length in pixels of the edges of a skeleton, by a loop over all pixels."""
    height, width = skeleton.shape
    on = {(y, x) for y in range(height) for x in range(width) if skeleton[y, x]}
    near = {pixel: _neighbours(pixel, on) for pixel in on}
    crossing = {pixel for pixel in on if len(near[pixel]) >= 3}
    node = _clusters(crossing, on)
    node |= {pixel: (pixel,) for pixel in on if len(near[pixel]) == 1}
    edges, length, passed = 0, 0.0, set[tuple[tuple[int, int], tuple[int, int]]]()
    for start in sorted(node):
        for ahead in near[start]:
            if (start, ahead) in passed or node.get(ahead) == node[start]:
                continue
            line, before, here = [_middle(node[start])], start, ahead
            while here not in node:
                line.append((here[0], here[1]))
                before, here = here, next(pixel for pixel in near[here] if pixel != before)
            passed |= {(here, before), (start, ahead)}
            line.append(_middle(node[here]))
            edges += 1
            length += sum(float(np.hypot(b[0] - a[0], b[1] - a[1])) for a, b in pairwise(line))
    return edges, length


def _neighbours(pixel: tuple[int, int], on: set[tuple[int, int]]) -> list[tuple[int, int]]:
    y, x = pixel
    found = [p for p in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)) if p in on]
    for down, right in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        if (y + down, x + right) in on and (y + down, x) not in on and (y, x + right) not in on:
            found.append((y + down, x + right))
    return found


def _clusters(
    crossing: set[tuple[int, int]], on: set[tuple[int, int]]
) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
    """Return the pixels of the junction that each junction pixel belongs to."""
    found: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
    for pixel in sorted(crossing):
        if pixel in found:
            continue
        members, waiting = {pixel}, [pixel]
        while waiting:
            y, x = waiting.pop()
            for other in ((y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
                if other in crossing and other not in members:
                    members.add(other)
                    waiting.append(other)
        found |= dict.fromkeys(members, tuple(sorted(members)))
    return found


def _middle(members: tuple[tuple[int, int], ...]) -> tuple[float, float]:
    return sum(y for y, _ in members) / len(members), sum(x for _, x in members) / len(members)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4000, help="pixels (default 4000)")
    parser.add_argument("--repeats", type=int, default=3, help="runs, the median counts (default 3)")
    parser.add_argument("--memory", action="store_true", help="peak memory instead, of fresh processes")
    arguments = parser.parse_args()
    if arguments.memory:
        _memory(arguments.side)
        return
    given = mask(arguments.side)
    seconds, roads = _time(lambda: trace_roads(given), arguments.repeats)
    km2 = (arguments.side * PIXEL_M / 1000) ** 2
    print(f"{arguments.side} px, {km2:.2f} km2: {seconds:.2f} s CPU, {len(roads)} roads", flush=True)
    road = cleaned(given.road, SQUARE, TracingRules())
    skeleton = skeleton_of(road, SQUARE, TracingRules())
    half = half_widths(road, skeleton, SQUARE)
    ours, edges = _time(lambda: edges_of(skeleton, half, SQUARE), arguments.repeats)
    plain, (count, length) = _time(lambda: plain_edges(skeleton), 1)
    assert count == len(edges.pixels), (count, len(edges.pixels))
    assert abs(length * PIXEL_M - edges.graph.lengths.sum()) < 0.01
    print(
        f"skeleton of {int(skeleton.sum())} px to {count} edges: {ours:.3f} s CPU, plain loop {plain:.2f} s: "
        f"{plain / ours:.0f} times as fast, same edges"
    )


def _memory(side: int) -> None:
    """Print the peak memory of fresh processes that trace a mask, and that only make it."""
    code = (
        "import sys, resource; from pathlib import Path; from tests.benchmarks.bench_tracing import *; "
        "m = mask(int(sys.argv[1])); trace_roads(mask(200)); "
        "kib = lambda: int(Path('/proc/self/status').read_text().split('VmRSS:')[1].split()[0]); "
        "before = kib(); Path('/proc/self/clear_refs').write_text('5'); r = trace_roads(m); "
        "print(before, int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(side)], check=True, capture_output=True, text=True)
    before, peak = (int(kib) / 1024 for kib in done.stdout.split())
    km2, mask_mib = (side * PIXEL_M / 1000) ** 2, side**2 / 2**20
    needed = peak - before + mask_mib
    print(f"{side} px, {km2:.2f} km2: {peak:.0f} MiB at most, {before:.0f} MiB of them before, with the mask")
    print(f"{needed / km2:.0f} MiB per km2 with the mask, {needed * 2**20 / side**2:.1f} bytes a pixel")


def _time(run: Callable[[], T], repeats: int) -> tuple[float, T]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), result


if __name__ == "__main__":
    main()
