"""Points on the edges of a graph: control points and their images on another graph.

A point is an edge and a distance along it. No edge is ever cut: a path between two points goes along their
edges to junctions, and between junctions by the shortest path of the graph itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from components.contract.errors import BadDataError
from components.lib.roads.apls.rules import AplsRules
from components.lib.roads.graph.model import Floats, Indices, RoadGraph

MOST_POINTS: Final = 500_000
"""Control points of the largest graph: the time grows with their square, and is hours for so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points on a graph.

    Attributes:
        edge: (K,) index of the edge, -1 for a point that has no place on the graph.
        offset: (K,) distance from the start of the edge.
        xy: (K, 2) x and y; NaN without a place.
    """

    edge: Indices
    offset: Floats
    xy: Floats

    def __len__(self) -> int:
        return len(self.edge)

    def __getitem__(self, chosen: Indices | slice) -> Points:
        return Points(self.edge[chosen], self.offset[chosen], self.xy[chosen])

    @property
    def missing(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which points have no place, (K,)."""
        return self.edge < 0


def control_points(graph: RoadGraph, rules: AplsRules) -> Points:
    """Return the nodes of a graph and the points between them, in ascending order of (y, x).

    Points lie at equal distances on each edge, as many as :meth:`AplsRules.midpoints` says (steps B and C of
    the SpaceNet 3 scorer); curvature is not looked at.

    Raises:
        BadDataError: If there are more than ``MOST_POINTS``, as lengths in a wrong unit give.
    """
    counts = np.array([rules.midpoints(length) for length in graph.lengths.tolist()], dtype=np.intp)
    if (total := len(graph.nodes) + int(counts.sum())) > MOST_POINTS:
        raise BadDataError(
            f"a road graph has {total} control points, of which at most {MOST_POINTS} can be compared: its "
            f"longest road measures {graph.lengths.max():g}",
            next_step="check its coordinates and their CRS, or score it in parts",
        )
    edge = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    offset = graph.lengths[edge] * number / (counts[edge] + 1)
    at_node, offset_of_node = graph.place_of_nodes()
    xy = np.concatenate((graph.nodes, graph.locate(edge, offset)))
    found = Points(np.r_[at_node, edge], np.r_[offset_of_node, offset], xy)
    return found[np.lexsort((found.offset, found.edge, *np.round(xy, 6).T))]
