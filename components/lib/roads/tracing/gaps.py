"""Dead ends joined across gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from components.lib.roads.graph.model import Floats, Indices
from components.lib.roads.tracing.edges import Edges
from components.lib.roads.tracing.rules import TracingRules

_RING = 3.0
"""Length of a road, in gaps, from which on its own two ends are joined: a short piece would join itself."""


def joined(edges: Edges, rules: TracingRules) -> Edges:
    """Return the edges with straight ones across gaps between dead ends.

    Near dead ends are joined, farther ones if they nearly lie in one line and face each other. Ours: each
    dead end is joined once, nearest pairs first, as all pairs of several near ends would cross; and the two
    ends of one road only if it is three times as long as the gap.
    """
    graph = edges.graph
    nodes = np.flatnonzero(edges.degree() == 1)
    if len(nodes) < 2:
        return edges
    places, headings, owner = _dead_ends(edges, nodes, rules.heading_m)
    pairs = cKDTree(places).query_pairs(rules.long_gap_m, output_type="ndarray")
    pairs = np.sort(pairs.astype(np.intp), axis=1).reshape(-1, 2)
    gap = places[pairs[:, 1]] - places[pairs[:, 0]]
    length = np.hypot(*gap.T)
    fits = (length < rules.gap_m) | _in_line(gap, headings[pairs[:, 0]], headings[pairs[:, 1]], rules)
    own = owner[pairs[:, 0]] == owner[pairs[:, 1]]
    fits &= ~own | (graph.lengths[owner[pairs[:, 0]]] > _RING * length)
    chosen = _nearest_first(pairs[fits], length[fits], len(nodes))
    if not len(chosen):
        return edges
    lines = [*edges.lines(), *places[chosen]]
    none = np.zeros(len(chosen))
    return Edges.of_lines(
        graph.nodes,
        np.concatenate((graph.ends, nodes[chosen])),
        lines,
        (np.r_[edges.width_sum, none], np.r_[edges.pixels, none]),
    )


def _dead_ends(edges: Edges, nodes: Indices, back: float) -> tuple[Floats, Floats, Indices]:
    """Return place (K, 2), outward direction (K, 2) and edge (K,) of each dead end."""
    graph = edges.graph
    edge, along = graph.place_of_nodes()
    owner, offset = edge[nodes], along[nodes]
    length = graph.lengths[owner]
    inwards = np.minimum(back, length)
    before = graph.locate(owner, np.where(offset > 0, length - inwards, inwards))
    way = graph.nodes[nodes] - before
    size = np.hypot(*way.T)[:, None]
    return graph.nodes[nodes], np.divide(way, size, out=np.zeros_like(way), where=size > 0), owner


def _in_line(gap: Floats, first: Floats, second: Floats, rules: TracingRules) -> npt.NDArray[np.bool_]:
    """Return whether pairs of dead ends lie in one line: same direction, small offset, facing each other.

    Args:
        gap: (K, 2) way from the first end to the second.
        first: (K, 2) outward direction at the first end.
        second: (K, 2) outward direction at the second end.
        rules: Angle and offset.
    """
    facing = (_dot(first, gap) > 0) & (_dot(second, gap) < 0)
    straight = -_dot(first, second) >= np.cos(np.radians(rules.angle_deg))
    beside = np.maximum(np.abs(_cross(first, gap)), np.abs(_cross(second, gap))) <= rules.offset_m
    return np.asarray(facing & straight & beside)


def _nearest_first(pairs: Indices, length: Floats, count: int) -> Indices:
    """Return pairs that share no end, (J, 2): the nearest first, ties by the order of the ends."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0], length))
    free, chosen = [True] * count, []
    for one, other in pairs[order].tolist():
        if free[one] and free[other]:
            free[one] = free[other] = False
            chosen.append((one, other))
    return np.array(chosen, dtype=np.intp).reshape(-1, 2)


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray((one * other).sum(axis=1))


def _cross(one: Floats, other: Floats) -> Floats:
    return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
