"""Edges of a graph that is being traced, with what is measured along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.roads.graph.build import subgraph
from components.lib.roads.graph.model import Floats, Indices, RoadGraph


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Road graph whose edges carry widths.

    Attributes:
        graph: Nodes and edges in the plane of metres; x to the right, y down.
        width_sum: (E,) sum of the road's width over the skeleton pixels of each edge, metres.
        pixels: (E,) number of these pixels; 0 for an edge across a gap.
    """

    graph: RoadGraph
    width_sum: Floats
    pixels: Floats

    @classmethod
    def none(cls) -> Self:
        """Return the edges of a mask without a road."""
        nothing = np.empty((0, 2))
        graph = RoadGraph.from_edges(nothing, np.empty((0, 2), np.intp), nothing, np.zeros(1, np.intp))
        return cls(graph, np.empty(0), np.empty(0))

    @classmethod
    def ordered(
        cls, nodes: Floats, ends: Indices, vertices: tuple[Floats, Indices], widths: tuple[Floats, Floats]
    ) -> Self:
        """Return edges whose nodes are brought into ascending order of (y, x); unused ones are left out.

        Args:
            nodes: (N, 2) places in any order.
            ends: (E, 2) indices of nodes.
            vertices: Those of all edges, (V, 2), and the index of each edge's first one, (E + 1,).
            widths: ``width_sum`` and ``pixels``.
        """
        used = np.unique(ends)
        order = used[np.lexsort((nodes[used, 0], nodes[used, 1]))]
        rank = np.full(len(nodes), -1, dtype=np.intp)
        rank[order] = np.arange(len(order))
        return cls(RoadGraph.from_edges(nodes[order], rank[ends], *vertices), *widths)

    @classmethod
    def of_lines(
        cls, nodes: Floats, ends: Indices, lines: Sequence[Floats], widths: tuple[Floats, Floats]
    ) -> Self:
        """Return the edges that lines (K, 2) draw, one each; other arguments as in :meth:`ordered`."""
        if not len(lines):
            return cls.none()
        first = np.r_[0, np.cumsum([len(line) for line in lines])].astype(np.intp)
        return cls.ordered(nodes, ends, (np.concatenate(lines), first), widths)

    @property
    def widths(self) -> tuple[Floats, Floats]:
        """``width_sum`` and ``pixels``."""
        return self.width_sum, self.pixels

    def lines(self) -> list[Floats]:
        """Return the vertices of each edge, (K, 2)."""
        xy, owner = shapely.get_coordinates(self.graph.shapes, return_index=True)
        return np.split(xy, np.flatnonzero(np.diff(owner)) + 1) if len(xy) else []

    def kept(self, keep: npt.NDArray[np.bool_]) -> Self:
        """Return the edges that ``keep`` (E,) marks."""
        if keep.all():
            return self
        return type(self)(subgraph(self.graph, keep), self.width_sum[keep], self.pixels[keep])

    def reshaped(self, shapes: npt.NDArray[np.object_]) -> Self:
        """Return the edges with other shapes (E,) between the same nodes."""
        xy, owner = shapely.get_coordinates(shapes, return_index=True)
        first = np.searchsorted(owner, np.arange(len(shapes) + 1)).astype(np.intp)
        graph = RoadGraph.from_edges(self.graph.nodes, self.graph.ends, xy, first)
        return type(self)(graph, self.width_sum, self.pixels)

    def degree(self) -> Indices:
        """Return the number of edges at each node, (N,); a self-loop counts twice."""
        return np.bincount(self.graph.ends.ravel(), minlength=len(self.graph.nodes)).astype(np.intp)
