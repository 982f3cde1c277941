"""Spurs and tiny loops dropped, chains merged, shapes simplified, duplicates removed."""

from __future__ import annotations

import numpy as np
import shapely

from components.lib.roads.graph.model import Floats, Indices
from components.lib.roads.tracing.edges import Edges
from components.lib.roads.tracing.rules import TracingRules


def without_spurs(edges: Edges, rules: TracingRules) -> Edges:
    """Return the edges without short ones that have a dead end, and without short self-loops.

    A self-loop of one pixel is dropped whatever its length: it goes there and back on one line.
    """
    graph = edges.graph
    terminal = (edges.degree()[graph.ends] == 1).any(axis=1)
    loop = graph.ends[:, 0] == graph.ends[:, 1]
    short = terminal & (graph.lengths < rules.spur_m)
    short |= loop & ((graph.lengths < rules.loop_m) | (shapely.get_num_coordinates(graph.shapes) < 4))
    return edges.kept(~short)


def simplified(edges: Edges, rules: TracingRules) -> Edges:
    """Return the edges with simplified shapes (Douglas and Peucker, 1973), each pair of equal ones once.

    A self-loop that would fall into a line to its farthest vertex and back keeps its shape: such a line
    would be two roads in one place.
    """
    if edges.graph.is_empty:
        return edges
    shapes = edges.graph.shapes
    plain = shapely.simplify(shapes, rules.simplify_m, preserve_topology=False)
    flat = (edges.graph.ends[:, 0] == edges.graph.ends[:, 1]) & (shapely.get_num_coordinates(plain) < 4)
    drawn = edges.reshaped(np.where(flat, shapes, plain))
    _, first = np.unique(shapely.to_wkb(shapely.normalize(drawn.graph.shapes)), return_index=True)
    keep = np.zeros(len(shapes), dtype=bool)
    keep[first] = True
    return drawn.kept(keep)


def merged(edges: Edges) -> Edges:
    """Return the edges with each chain through nodes of two edges merged into one edge.

    Chains run from their end of smaller index (nodes are in order of (y, x)); a ring without a junction is
    one self-loop at its first node.
    """
    graph = edges.graph
    degree = edges.degree()
    loop = graph.ends[:, 0] == graph.ends[:, 1]
    inner = degree == 2
    inner[graph.ends[loop, 0]] = False  # the node of a ring, or of a loop and something else
    if not inner.any():
        return edges
    walk = _Walk(edges, inner.tolist())
    for node in np.flatnonzero(~inner).tolist():
        walk.follow_all(node)
    for node in np.flatnonzero(inner).tolist():
        walk.follow_all(node)  # only rings are left
    return Edges.of_lines(graph.nodes, *walk.result())


class _Walk:
    """Walk along all edges, each once."""

    def __init__(self, edges: Edges, inner: list[bool]) -> None:
        graph = edges.graph
        self._edges, self._inner, self._ends = edges, inner, graph.ends.tolist()
        self._lines = edges.lines()
        self._at: list[list[int]] = [[] for _ in inner]
        for edge, (start, end) in enumerate(self._ends):
            self._at[start].append(edge)
            if end != start:
                self._at[end].append(edge)
        self._used = [False] * len(self._ends)
        self._chains: list[tuple[int, int, list[int]]] = []
        self._shapes: list[Floats] = []

    def follow_all(self, start: int) -> None:
        """Follow each unused edge at a node to the next node that is no inner one, or back to it."""
        for edge in self._at[start]:
            if not self._used[edge]:
                self._follow(start, edge)

    def _follow(self, start: int, edge: int) -> None:
        node, passed, pieces = start, list[int](), [self._lines[edge][:0]]
        while True:
            self._used[edge] = True
            one, other = self._ends[edge]
            line = self._lines[edge] if one == node else self._lines[edge][::-1]
            pieces.append(line if len(passed) == 0 else line[1:])
            passed.append(edge)
            node = other if one == node else one
            ahead = [e for e in self._at[node] if not self._used[e]]
            if not self._inner[node] or node == start or not ahead:
                break
            edge = ahead[0]
        self._chains.append((start, node, passed))
        self._shapes.append(np.concatenate(pieces))

    def result(self) -> tuple[Indices, list[Floats], tuple[Floats, Floats]]:
        """Return ends and lines of the chains, and their sums of widths and numbers of pixels."""
        ends = np.array([chain[:2] for chain in self._chains], dtype=np.intp).reshape(-1, 2)
        width_sum, pixels = (
            np.array([values[passed].sum() for _, _, passed in self._chains]) for values in self._edges.widths
        )
        return ends, self._shapes, (width_sum, pixels)
