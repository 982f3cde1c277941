"""Seconds of APLS, the ratio to a plain networkx implementation of the same definition, and peak memory.

    python -m tests.benchmarks.bench_apls [--junctions 1000] [--large 20000]

The workload is that of the reference (speed.md section 3): jittered grid of roads of 80 m, half of them
curved; the proposal is moved by 1 m and lacks 5 % of the roads. CosmiQ/apls itself
needs GDAL 2.4 and networkx below 2.4 and is not measured here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import networkx  # type: ignore[import-untyped]
import numpy as np

from components.evaluate.apls.command import Choices, score_files
from components.lib.roads.apls.images import images
from components.lib.roads.apls.paths import Network, Paths
from components.lib.roads.apls.points import Points, control_points
from components.lib.roads.apls.rules import COSMIQ, AplsScore
from components.lib.roads.apls.score import Total, add_errors, batches, score_lines
from components.lib.roads.graph.build import build_graph
from components.lib.roads.graph.model import Floats, RoadGraph

_BATCHES = 40
"""Batches of each direction by which a large network is measured."""

_CHECKED = 64
"""Junctions of the network on which both codes must give the same score."""

Lines = list[Floats]
T = TypeVar("T")


def network(junctions: int, seed: int = 0) -> tuple[Lines, Lines]:
    """Return true and proposed roads of about as many junctions."""
    rng = np.random.default_rng(seed)
    side = round(junctions**0.5)
    xy = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1) * 80.0
    xy = xy + rng.uniform(-8, 8, xy.shape)
    ends = [(xy[i, j], xy[i, j + 1]) for i in range(side) for j in range(side - 1)]
    ends += [(xy[i, j], xy[i + 1, j]) for i in range(side - 1) for j in range(side)]
    truth = []
    for k, (a, b) in enumerate(ends):
        across = np.array([a[1] - b[1], b[0] - a[0]]) * 0.08
        truth.append(np.array([a, (a + b) / 2 + across, b] if k % 2 else [a, b]))
    return truth, [line + 0.7 for line in truth if rng.random() >= 0.05]


def plain_score(truth: Lines, proposal: Lines, sources: int = 0) -> tuple[AplsScore, float]:
    """The same definition by plain code: edges are cut, networkx finds shortest paths, loops compare them.

    Images of control points are found by our code, whose time counts for both.

    Args:
        truth: True roads.
        proposal: Proposed roads.
        sources: Control points of each direction whose paths are looked for, evenly spread; 0 for all.

    Returns:
        The score over these sources' paths, and the seconds of CPU that all sources would take: the paths of
        one source do not depend on another one's, so theirs are multiplied by the share that was taken.
    """
    start = time.process_time()
    graphs = build_graph(truth), build_graph(proposal)
    points = [control_points(graph, COSMIQ) for graph in graphs]
    pairs = []
    for mine, other in ((0, 1), (1, 0)):
        found = images(points[mine], graphs[other], points[other], COSMIQ)
        pairs.append((_cut(graphs[mine], points[mine]), _cut(graphs[other], found), len(points[mine])))
    seconds, directions = time.process_time() - start, []
    for real, theirs, count in pairs:
        chosen = np.unique(np.linspace(0, count - 1, sources or count).astype(int)).tolist()
        start = time.process_time()
        directions.append(_plain_direction(real, theirs, chosen))
        seconds += (time.process_time() - start) * count / len(chosen)
    return AplsScore.of_directions(*directions), seconds


def _plain_direction(real: networkx.Graph, theirs: networkx.Graph, sources: list[int]) -> float:
    error, routes = 0.0, 0
    for source in sources:
        node = ("p", source)
        there = networkx.single_source_dijkstra_path_length(theirs, node) if node in theirs else {}
        for target, length in networkx.single_source_dijkstra_path_length(real, node).items():
            if target[0] != "p" or target == node or length < COSMIQ.least_path:
                continue
            other = there.get(target)
            error += 1.0 if other is None else min(1.0, abs(length - other) / length)
            routes += 1
    return 1.0 - error / routes


def _cut(graph: RoadGraph, points: Points) -> networkx.Graph:
    """Return the graph with nodes ``("p", k)`` for points on its edges."""
    found: networkx.Graph = networkx.Graph()
    on_edge: dict[int, list[tuple[float, int]]] = {}
    for k, edge in enumerate(points.edge.tolist()):
        if edge >= 0:
            on_edge.setdefault(edge, []).append((float(points.offset[k]), k))
    for edge, (u, v) in enumerate(graph.ends.tolist()):
        at, before = 0.0, ("n", u)
        stops = [(offset, ("p", k)) for offset, k in sorted(on_edge.get(edge, []))]
        for offset, node in [*stops, (float(graph.lengths[edge]), ("n", v))]:
            _join(found, before, node, offset - at)
            at, before = offset, node
    return found


def _join(graph: networkx.Graph, u: tuple[str, int], v: tuple[str, int], length: float) -> None:
    if not graph.has_edge(u, v) or graph[u][v]["weight"] > length:
        graph.add_edge(u, v, weight=length)


def _write(path: Path, lines: Lines) -> Path:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": x.tolist()}}
        for x in lines
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32611"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--junctions", type=int, default=1000, help="for the ratio (default 1000)")
    parser.add_argument("--large", type=int, default=0, help="junctions for the memory; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=3, help="runs, the median counts (default 3)")
    parser.add_argument(
        "--sources", type=int, default=100, help="of networkx, the rest is scaled; 0 for all (default 100)"
    )
    parser.add_argument("--only-ours", action="store_true", help="leave the plain implementation out")
    arguments = parser.parse_args()
    if arguments.large:
        _large(arguments.large)
        return
    truth, proposal = network(arguments.junctions)
    cpu, wall, ours = _time(lambda: score_lines(truth, proposal, COSMIQ), arguments.repeats)
    print(
        f"{len(build_graph(truth).nodes)} junctions: {cpu:.3f} s CPU, {wall:.3f} s wall, {ours}", flush=True
    )
    with tempfile.TemporaryDirectory() as name:
        files = [_write(Path(name) / f"{k}.geojson", part) for k, part in enumerate((truth, proposal))]
        cpu_files, wall_files, _ = _time(lambda: score_files(files[0], files[1], Choices()), 1)
        print(
            f"GeoJSON to all scores, TOPO and relaxed among them: {cpu_files:.3f} s CPU, {wall_files:.3f} s"
        )
    if arguments.only_ours:
        return
    small = network(_CHECKED)
    equal, _ = plain_score(*small)
    assert abs(equal.apls - score_lines(*small, COSMIQ).apls) < 1e-6, "the same definition"
    plain, seconds = plain_score(truth, proposal, arguments.sources)
    of_all = (
        "all" if not arguments.sources else f"{arguments.sources} sources of each direction, scaled to all"
    )
    print(
        f"networkx {seconds:.1f} s CPU ({of_all}; {plain}): {seconds / cpu:.0f} times as fast "
        f"({os.cpu_count()} cores)"
    )


def _large(junctions: int) -> None:
    """Print seconds and peak memory of fresh processes, each with a network of its own."""
    for count in (junctions // 16, junctions // 4, junctions):
        code = f"from tests.benchmarks.bench_apls import large_network; large_network({count})"
        subprocess.run([sys.executable, "-c", code], check=True)


def large_network(junctions: int) -> None:
    """Print the seconds that all batches of a network take, by some of them, and this process's peak memory.

    The batches are evenly spread over both directions, the first and the last one among them: the first has
    the fewest points and the last the most.
    """
    truth, proposal = network(junctions)
    start = time.process_time()
    graphs = build_graph(truth), build_graph(proposal)
    points = [control_points(graph, COSMIQ) for graph in graphs]
    networks = [Network(graph) for graph in graphs]
    total, taken, count, scaled = Total(), 0, 0, 0.0
    for mine, other in ((0, 1), (1, 0)):
        found = images(points[mine], graphs[other], points[other], COSMIQ)
        order = np.argsort(points[mine].edge, kind="stable")
        own, theirs = points[mine][order], found[order]
        paths = Paths(networks[mine], own), Paths(networks[other], theirs)
        all_batches = list(batches(len(own), max(paths[0].nodes, paths[1].nodes)))
        chosen = np.unique(np.linspace(0, len(all_batches) - 1, _BATCHES).astype(int)).tolist()
        before = time.process_time()
        for number in chosen:
            add_errors(total, paths, theirs.missing, all_batches[number], COSMIQ)
        spent = time.process_time() - before
        scaled += spent * (len(all_batches) / len(chosen) - 1)
        taken, count = taken + len(chosen), count + len(all_batches)
    seconds = time.process_time() - start + scaled
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{junctions} junctions: {seconds:.1f} s CPU by {taken} of {count} batches, {peak} MiB at most",
        flush=True,
    )


def _time(run: Callable[[], T], repeats: int) -> tuple[float, float, T]:
    cpus, walls = [], []
    for _ in range(repeats + 1):  # the first warms up
        cpu, wall = time.process_time(), time.perf_counter()
        result = run()
        cpus.append(time.process_time() - cpu)
        walls.append(time.perf_counter() - wall)
    return float(np.median(cpus[1:])), float(np.median(walls[1:])), result


if __name__ == "__main__":
    main()
