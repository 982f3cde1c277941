"""From lines to the graph of their junctions.

Both definitions of APLS build alike: vertices in one place are one node, each straight piece of a line is a
section between two nodes, and chains of nodes with two sections each become one edge that keeps its shape. A
pure cycle has no junction to start from, so all its vertices stay nodes. Lines that cross without a shared
vertex are not connected (SpaceNet 3 scorer, steps A and B; OSMnx simplifies by the same rule).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csgraph

from components.lib.roads.graph.model import Floats, Indices, RoadGraph

_LARGE_PART = 100
"""Nodes above which a connected part is kept whatever its length."""


def build_graph(lines: Sequence[Floats], grid: float = 0.0) -> RoadGraph:
    """Return the graph of lines.

    Args:
        lines: Vertices of each line, (K, 2) with K of 2 or more, finite.
        grid: Vertices that round to the same multiple of it are one node; 0 joins equal ones alone.
    """
    if not lines:
        return _empty()
    vertices = np.concatenate(lines)
    places, owner = _merged(vertices, grid)
    line = np.repeat(np.arange(len(lines)), [len(points) for points in lines])
    inner = np.flatnonzero(line[1:] == line[:-1])
    sections = np.column_stack((owner[inner], owner[inner + 1]))
    return _collapsed(places, sections)


def without_short_parts(graph: RoadGraph, least: float) -> RoadGraph:
    """Return the graph without the connected parts whose longest shortest path is below ``least``.

    A part of more than 100 nodes is kept whatever its length (CosmiQ/apls, ``_clean_sub_graphs``).
    """
    if graph.is_empty or least <= 0:
        return graph
    matrix = weights(graph)
    count, part = csgraph.connected_components(matrix, directed=False)
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, part, graph.nodes)
    np.maximum.at(high, part, graph.nodes)
    # A path is no shorter than the straight line: only compact parts need a closer look.
    compact = (np.hypot(*(high - low).T) < least) & (np.bincount(part, minlength=count) <= _LARGE_PART)
    short = np.zeros(count, dtype=bool)
    for number in np.flatnonzero(compact).tolist():
        members = np.flatnonzero(part == number)
        short[number] = csgraph.dijkstra(matrix, indices=members)[:, members].max() < least
    return subgraph(graph, ~short[part[graph.ends[:, 0]]]) if short.any() else graph


def subgraph(graph: RoadGraph, keep: npt.NDArray[np.bool_]) -> RoadGraph:
    """Return the graph of the edges that ``keep`` (E,) marks, without the nodes that no edge is left at."""
    chosen = graph.shapes[keep]
    ends = graph.ends[keep]
    used, index = np.unique(ends, return_inverse=True)
    coordinates = [np.asarray(shape.coords) for shape in chosen]
    first = np.r_[0, np.cumsum([len(points) for points in coordinates])].astype(np.intp)
    stacked = np.concatenate(coordinates) if coordinates else np.empty((0, 2))
    return RoadGraph.from_edges(graph.nodes[used], index.reshape(ends.shape), stacked, first)


def weights(graph: RoadGraph) -> coo_array:
    """Return the symmetric matrix (N, N) of the shortest edge between each two nodes, without self-loops."""
    order = np.argsort(graph.lengths, kind="stable")
    low, high = np.sort(graph.ends[order], axis=1).T if len(order) else (np.empty(0, int), np.empty(0, int))
    # A matrix would sum parallel edges: only the first, shortest one of each pair of nodes is kept.
    _, first = np.unique(low * len(graph.nodes) + high, return_index=True)
    first = first[low[first] != high[first]]
    low, high, length = low[first], high[first], graph.lengths[order][first]
    both = (np.r_[length, length], (np.r_[low, high], np.r_[high, low]))
    return coo_array(both, shape=(len(graph.nodes),) * 2).tocsr()


def _empty() -> RoadGraph:
    none = np.empty((0, 2))
    return RoadGraph.from_edges(none, np.empty((0, 2), np.intp), none, np.zeros(1, np.intp))


def _merged(vertices: Floats, grid: float) -> tuple[Floats, Indices]:
    """Return the places of all nodes, in ascending order of (y, x), and the node of each vertex.

    A node lies at its vertex of smallest (y, x), so that the order of lines has no effect.
    """
    keys = np.floor(vertices / grid + 0.5) if grid else vertices
    order = np.lexsort((vertices[:, 0], vertices[:, 1], keys[:, 0], keys[:, 1]))
    ranked = keys[order]
    new = np.r_[True, (ranked[1:] != ranked[:-1]).any(axis=1)]
    owner = np.empty(len(vertices), dtype=np.intp)
    owner[order] = np.cumsum(new) - 1
    return vertices[order[new]], owner


def _collapsed(places: Floats, sections: Indices) -> RoadGraph:
    degree = np.bincount(sections.ravel(), minlength=len(places))
    at = np.argsort(sections.ravel(), kind="stable") // 2
    first = np.r_[0, np.cumsum(degree)].tolist()
    incident, pairs, degrees = at.tolist(), sections.tolist(), degree.tolist()
    used = [False] * len(pairs)

    def chain(node: int, section: int) -> list[int]:
        """Follow sections from a junction to the next one; return the nodes passed."""
        passed = [node]
        while True:
            used[section] = True
            one, other = pairs[section]
            node = other if one == node else one
            passed.append(node)
            if degrees[node] != 2:
                return passed
            ahead = [s for s in incident[first[node] : first[node + 1]] if not used[s]]
            if not ahead:
                return passed
            section = ahead[0]

    chains = []
    for node in np.flatnonzero(degree != 2).tolist():
        for section in incident[first[node] : first[node + 1]]:
            if not used[section]:  # the chain marks what it uses
                chains.append(chain(node, section))  # noqa: PERF401
    chains += [pair for pair, done in zip(pairs, used, strict=True) if not done]  # pure cycles
    ends = np.array([(passed[0], passed[-1]) for passed in chains], dtype=np.intp)
    bounds = np.r_[0, np.cumsum([len(passed) for passed in chains])].astype(np.intp)
    kept, index = np.unique(ends, return_inverse=True)
    coordinates = places[np.concatenate([np.asarray(passed, dtype=np.intp) for passed in chains])]
    return RoadGraph.from_edges(places[kept], index.reshape(ends.shape), coordinates, bounds)
