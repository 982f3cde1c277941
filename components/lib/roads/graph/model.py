"""Road graph of junctions: an undirected multigraph whose edges keep their shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Straight pieces of all edges, edge by edge in the direction of the edge.

    Attributes:
        start: (S, 2) first point.
        end: (S, 2) last point.
        edge: (S,) index of the edge.
        offset: (S,) distance along the edge at which the piece starts.
        length: (S,) length.
    """

    start: Floats
    end: Floats
    edge: Indices
    offset: Floats
    length: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RoadGraph:
    """Junctions, dead ends and the roads between them; parallel edges and self-loops may occur.

    Attributes:
        nodes: (N, 2) x and y of the nodes, in ascending order of (y, x); metres or pixels.
        ends: (E, 2) nodes at the start and at the end of each edge.
        shapes: (E,) object, LineString of each edge from its start to its end.
        lengths: (E,) length of each edge, in the unit of the coordinates.
        segments: Straight pieces of the edges.
    """

    nodes: Floats
    ends: Indices
    shapes: npt.NDArray[np.object_]
    lengths: Floats
    segments: Segments

    @classmethod
    def from_edges(cls, nodes: Floats, ends: Indices, coordinates: Floats, first: Indices) -> Self:
        """Return the graph of edges whose vertices lie one after another.

        Args:
            nodes: (N, 2) x and y.
            ends: (E, 2) indices of nodes.
            coordinates: (V, 2) vertices of all edges, each from its start to its end, two or more.
            first: (E + 1,) index of the first vertex of each edge, and V.
        """
        counts = np.diff(first)
        owner = np.repeat(np.arange(len(counts)), counts)
        inner = np.ones(max(len(coordinates) - 1, 0), dtype=bool)
        inner[first[1:-1] - 1] = False  # from the last vertex of an edge to the first one of the next
        at = np.flatnonzero(inner)
        start, end, edge = coordinates[at], coordinates[at + 1], owner[at]
        length = np.hypot(*(end - start).T)
        lengths: Floats = np.bincount(edge, weights=length, minlength=len(counts)).astype(np.float64)
        offset = np.cumsum(length) - length
        if len(at):
            opening = np.flatnonzero(np.r_[True, edge[1:] != edge[:-1]])
            offset -= np.repeat(offset[opening], np.diff(np.r_[opening, len(at)]))
        shapes = shapely.linestrings(coordinates, indices=owner) if len(counts) else np.empty(0, object)
        return cls(nodes, ends, np.asarray(shapes), lengths, Segments(start, end, edge, offset, length))

    @property
    def is_empty(self) -> bool:
        """True without a road."""
        return not len(self.ends)

    def locate(self, edge: Indices, offset: Floats) -> Floats:
        """Return the points (K, 2) at distances (K,) along edges (K,)."""
        if not len(edge):
            return np.empty((0, 2))
        return shapely.get_coordinates(shapely.line_interpolate_point(self.shapes[edge], offset))

    def place_of_nodes(self) -> tuple[Indices, Floats]:
        """Return an edge at each node, (N,), and the offset of the node on it, (N,)."""
        edge, at_end = np.zeros(len(self.nodes), dtype=np.intp), np.zeros(len(self.nodes), dtype=bool)
        for side in (1, 0):
            edge[self.ends[:, side]] = np.arange(len(self.ends))
            at_end[self.ends[:, side]] = bool(side)
        return edge, np.where(at_end, self.lengths[edge], 0.0) if len(self.ends) else np.zeros(len(edge))
