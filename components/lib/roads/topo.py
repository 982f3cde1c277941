"""TOPO: what is reached from one start on both graphs.

From a start, points are set out at equal distances along all roads, up to a largest distance: on the truth
("holes") and, from the nearest place on it, on the proposal ("marbles"). A marble and a hole within a
tolerance match, one to one. Precision is the share of marbles that are matched, recall that of holes, both
of sums over all starts. A start without a place on the proposal leaves all its holes empty (Biagioni and
Eriksson, Transportation Research Record 2291, 2012).

CosmiQ/apls draws its starts at random and takes a circle for the roads within reach. *Ours*: every node of
the truth is a start, distances are along roads, and the matching is the largest possible, so that the score
depends on nothing but the graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_array, csgraph
from scipy.spatial import cKDTree

from components.lib.metrics.counts import Counts
from components.lib.roads.apls.images import images
from components.lib.roads.apls.paths import Network
from components.lib.roads.apls.points import Points
from components.lib.roads.apls.rules import AplsRules
from components.lib.roads.graph.model import Floats, Indices, RoadGraph

_STARTS: Final = 128

_ROUNDING: Final = 1e-9
"""Share of an interval by which a sum of lengths may be off: a point at a junction is set out once."""


@dataclass(frozen=True, slots=True)
class TopoRules:
    """Lengths of TOPO in the unit of the coordinates; the defaults of CosmiQ/apls, in metres.

    Attributes:
        radius: Largest distance from the start, along roads.
        interval: Distance between points.
        hole: Largest distance between a marble and its hole.
    """

    radius: float = 150.0
    interval: float = 30.0
    hole: float = 4.0

    def scaled(self, factor: float) -> TopoRules:
        """Return the rules in another unit."""
        return TopoRules(self.radius * factor, self.interval * factor, self.hole * factor)


def count_topo(truth: RoadGraph, proposal: RoadGraph, rules: TopoRules) -> Counts:
    """Count matched marbles (tp), other marbles (fp) and empty holes (fn) over all nodes of the truth."""
    total = Counts(0, 0, 0)
    if truth.is_empty:
        return total
    edge, offset = truth.place_of_nodes()
    starts = Points(edge, offset, truth.nodes)
    snapped = images(starts, proposal, starts, _within(rules.hole))
    networks = Network(truth), Network(proposal)
    for first in range(0, len(starts), _STARTS):
        part = slice(first, first + _STARTS)
        holes = _spread(networks[0], starts[part], rules)
        marbles = _spread(networks[1], snapped[part], rules)
        matched = _matched(holes, marbles, rules)
        total += Counts(matched, len(marbles) - matched, len(holes) - matched)
    return total


def _within(hole: float) -> AplsRules:
    return AplsRules(definition="cosmiq", spacing=np.inf, snap=hole)


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """Stretches of edges that are walked outwards from starts.

    Attributes:
        start: (M,) number of the start.
        edge: (M,) edge.
        origin: (M,) offset at which the stretch begins.
        direction: (M,) 1 along the edge, -1 against it.
        before: (M,) distance of its beginning from the start.
        length: (M,) its length; beyond it another way is shorter.
    """

    start: Indices
    edge: Indices
    origin: Floats
    direction: Floats
    before: Floats
    length: Floats

    def points(self, graph: RoadGraph, rules: TopoRules) -> Floats:
        """Return the points (K, 3) on them: number of the start, x and y."""
        first = np.floor(self.before / rules.interval + _ROUNDING) + 1
        end = np.minimum(self.before + self.length, rules.radius)
        last = np.floor(end / rules.interval + _ROUNDING)
        counts = np.maximum(last - first + 1, 0).astype(np.intp)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        row = np.repeat(np.arange(len(counts)), counts)
        walked = (first[row] + step) * rules.interval - self.before[row]
        xy = graph.locate(self.edge[row], self.origin[row] + self.direction[row] * walked)
        return np.column_stack((self.start[row], xy))


def _spread(network: Network, starts: Points, rules: TopoRules) -> Floats:
    """Return the points (K, 3) set out from starts: number of the start, x and y."""
    graph = network.graph
    number = np.flatnonzero(~starts.missing)
    if not len(number):
        return np.empty((0, 3))
    edge, offset = starts.edge[number], starts.offset[number]
    rest = graph.lengths[edge] - offset
    ends = graph.ends[edge]
    reach = np.minimum(
        network.from_nodes(ends[:, 0]) + offset[:, None], network.from_nodes(ends[:, 1]) + rest[:, None]
    )
    stretches = (*_own_edges(graph, number, edge, offset, reach), *_others(graph, number, edge, reach, rules))
    found = [np.column_stack((number, starts.xy[number]))]
    found += [some.points(graph, rules) for some in stretches]
    return np.concatenate(found)


def _own_edges(
    graph: RoadGraph, number: Indices, edge: Indices, offset: Floats, reach: Floats
) -> Iterator[_Stretches]:
    """Yield both parts of the edge that each start cuts, walked from the start and from their far ends."""
    none = np.zeros(len(edge))
    for side, sign, length in ((0, -1.0, offset), (1, 1.0, graph.lengths[edge] - offset)):
        far = np.take_along_axis(reach, graph.ends[edge, side, None], 1)[:, 0]
        end = none if side == 0 else graph.lengths[edge]
        direction = np.full(len(edge), sign)
        yield _Stretches(number, edge, offset, direction, none, (far + length) / 2)
        yield _Stretches(number, edge, end, -direction, far, (length - far) / 2)


def _others(
    graph: RoadGraph, number: Indices, edge: Indices, reach: Floats, rules: TopoRules
) -> Iterator[_Stretches]:
    """Yield all other edges, walked from either end to where both ways are equally long."""
    for side, sign in ((0, 1.0), (1, -1.0)):
        near, far = reach[:, graph.ends[:, side]], reach[:, graph.ends[:, 1 - side]]
        row, column = np.nonzero(near < rules.radius)
        own = column == edge[row]
        row, column = row[~own], column[~own]
        before, length = near[row, column], graph.lengths[column]
        half = np.minimum((length + far[row, column] - before) / 2, length)
        origin = np.zeros(len(column)) if side == 0 else length
        yield _Stretches(number[row], column, origin, np.full(len(column), sign), before, half)


def _matched(holes: Floats, marbles: Floats, rules: TopoRules) -> int:
    """Return the size of the largest one-to-one matching within the starts."""
    if not len(holes) or not len(marbles):
        return 0
    apart = np.array([4 * rules.hole, 1.0, 1.0])  # starts never meet
    pairs = cKDTree(marbles * apart).query_ball_tree(cKDTree(holes * apart), rules.hole)
    row = np.repeat(np.arange(len(marbles)), [len(near) for near in pairs])
    column = np.array([hole for near in pairs for hole in near], dtype=np.intp)
    graph = coo_array((np.ones(len(row)), (row, column)), shape=(len(marbles), len(holes))).tocsr()
    return int(np.count_nonzero(csgraph.maximum_bipartite_matching(graph, perm_type="column") >= 0))
