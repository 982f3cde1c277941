"""Lengths of the shortest paths between points of a graph, batch by batch."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.sparse import csgraph

from components.lib.roads.apls.points import Points
from components.lib.roads.graph.build import weights
from components.lib.roads.graph.model import Floats, Indices, RoadGraph

_WHOLE: Final = 3000
"""Nodes up to which all shortest paths are held at once: 72 MB."""


class Network:
    """Shortest paths between the nodes of a graph."""

    def __init__(self, graph: RoadGraph) -> None:
        self.graph = graph
        self._matrix = weights(graph)
        whole = 0 < len(graph.nodes) <= _WHOLE
        self._lengths = csgraph.dijkstra(self._matrix) if whole else None

    def from_nodes(self, nodes: Indices) -> Floats:
        """Return the lengths (K, N) of the paths from nodes (K,) to all nodes; infinite without a path."""
        if self._lengths is not None:
            return np.asarray(self._lengths[nodes])
        return np.asarray(csgraph.dijkstra(self._matrix, indices=nodes))


class Paths:
    """Shortest paths between points on a graph."""

    def __init__(self, network: Network, points: Points) -> None:
        graph = network.graph
        self._network = network
        here = ~points.missing
        edge = np.where(here, points.edge, 0)
        self._edge, self._offset = points.edge, points.offset
        self._ends = graph.ends[edge].T if len(graph.ends) else np.zeros((2, len(points)), dtype=np.intp)
        lengths = graph.lengths[edge] if len(graph.ends) else np.zeros(len(points))
        # Without a place: infinitely far from any node.
        self._to_start = np.where(here, points.offset, np.inf)
        self._to_end = np.where(here, lengths - points.offset, np.inf)
        self._by_edge = np.argsort(points.edge, kind="stable")
        self._sorted_edge = points.edge[self._by_edge]

    @property
    def nodes(self) -> int:
        """Number of nodes of the graph."""
        return len(self._network.graph.nodes)

    def lengths(self, first: int, last: int) -> Floats:
        """Return the lengths (last - first, K - first) of paths from some points to all from ``first`` on."""
        rows, columns = slice(first, last), slice(first, None)
        if not len(self._network.graph.nodes):
            return np.full((last - first, len(self._edge) - first), np.inf)
        nodes, index = np.unique(self._ends[:, rows], return_inverse=True)
        start, end = index.reshape(2, -1)
        between = self._network.from_nodes(nodes)
        to_nodes = between[start]
        to_nodes += self._to_start[rows, None]
        other = between[end]
        other += self._to_end[rows, None]
        np.minimum(to_nodes, other, out=to_nodes)
        found: Floats = np.take(to_nodes, self._ends[0, columns], axis=1)
        found += self._to_start[None, columns]
        other = np.take(to_nodes, self._ends[1, columns], axis=1)
        other += self._to_end[None, columns]
        np.minimum(found, other, out=found)
        self._along_edges(found, first, last)
        return found

    def _along_edges(self, found: Floats, first: int, last: int) -> None:
        """Shorten the paths between points of one edge to the way along it."""
        edge = self._edge[first:last]
        low = np.searchsorted(self._sorted_edge, edge, side="left")
        counts = np.where(edge < 0, 0, np.searchsorted(self._sorted_edge, edge, side="right") - low)
        row = np.repeat(np.arange(last - first), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        column = self._by_edge[np.repeat(low, counts) + within]
        ahead = column >= first
        row, column = row[ahead], column[ahead]
        along = np.abs(self._offset[first + row] - self._offset[column])
        found[row, column - first] = np.minimum(found[row, column - first], along)
