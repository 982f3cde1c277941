"""Images of control points on another graph: the nearest point of its roads, or a node in the same place.

Rules and ties are those of docs/methods/metrics.md, by which no score depends on the order of lines.
The Java scorer cuts an edge wherever a point falls; here the place of the cut is remembered instead.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from components.lib.roads.apls.points import Points
from components.lib.roads.apls.rules import AplsRules
from components.lib.roads.graph.model import Floats, Indices, RoadGraph

_EQUAL: Final = 1e-9
"""Distances that differ by less are equal."""

_DIGITS: Final = 6
"""Decimals that coordinates are compared by where distances are equal: beyond lies rounding."""

_BATCH: Final = 8192

Place = tuple[int, float, float, float]
"""Edge, distance along it, x and y."""


def images(points: Points, target: RoadGraph, nodes: Points, rules: AplsRules) -> Points:
    """Return the image of each point on another graph.

    Args:
        points: (K,) control points of one graph, in ascending order of (y, x).
        target: The other graph.
        nodes: Nodes and control points of the other graph, used where ``rules.same`` is above 0.
        rules: Definition.
    """
    edge, offset = np.full(len(points), -1, dtype=np.intp), np.zeros(len(points))
    xy = np.full((len(points), 2), np.nan)
    if not target.is_empty:
        pieces = np.stack((target.segments.start, target.segments.end), 1)
        tree = shapely.STRtree(np.asarray(shapely.linestrings(pieces)))
        cuts = _Cuts(target, nodes, rules.same) if rules.same > 0 else None
        for start in range(0, len(points), _BATCH):
            part = slice(start, start + _BATCH)
            found = _nearest(points.xy[part], target, tree, rules.snap)
            if cuts is None:
                first = np.flatnonzero(np.r_[True, found.point[1:] != found.point[:-1]][: len(found.point)])
                rows = found.point[first] + start
                edge[rows], offset[rows], xy[rows] = found.edge[first], found.offset[first], found.xy[first]
                continue
            for row, place in enumerate(cuts.take(points.xy[part], found), start):
                if place is not None:
                    edge[row], offset[row], *xy[row] = place
    return Points(edge, offset, xy)


@dataclass(frozen=True, slots=True, eq=False)
class _Nearest:
    """Nearest places of points; several rows where they are equally near, the preferred one first."""

    point: Indices
    edge: Indices
    segment: Indices
    offset: Floats
    xy: Floats


def _nearest(xy: Floats, graph: RoadGraph, tree: shapely.STRtree, snap: float) -> _Nearest:
    p, s = tree.query(shapely.points(xy), predicate="dwithin", distance=snap * (1 + 1e-9))
    segments = graph.segments
    along = segments.end[s] - segments.start[s]
    square = np.maximum((along * along).sum(axis=1), np.finfo(float).tiny)
    share = np.clip(((xy[p] - segments.start[s]) * along).sum(axis=1) / square, 0.0, 1.0)
    foot = np.where((share == 1.0)[:, None], segments.end[s], segments.start[s] + share[:, None] * along)
    distance = np.hypot(*(foot - xy[p]).T)
    best = np.full(len(xy), np.inf)
    np.minimum.at(best, p, distance)
    near = (distance <= snap) & (distance <= best[p] + _EQUAL)
    p, s, share, foot = p[near], s[near], share[near], foot[near]
    order = np.lexsort((s, *np.round(foot, _DIGITS).T, p))
    p, s, share, foot = p[order], s[order], share[order], foot[order]
    edge, offset = segments.edge[s], segments.offset[s] + share * segments.length[s]
    # Two pieces of an edge meet in a vertex: one place.
    new = np.r_[True, (p[1:] != p[:-1]) | (edge[1:] != edge[:-1]) | (foot[1:] != foot[:-1]).any(axis=1)]
    new = np.flatnonzero(new[: len(p)])
    return _Nearest(p[new], edge[new], s[new], offset[new], foot[new])


def _rank(x: float, y: float) -> tuple[float, float]:
    return round(y, _DIGITS), round(x, _DIGITS)


class _Cuts:
    """Nodes on the edges of a graph, to which each image without a node in its place adds one."""

    def __init__(self, graph: RoadGraph, nodes: Points, same: float) -> None:
        self.same = same
        self.cells: dict[tuple[int, int], list[Place]] = {}
        self.edges: list[list[tuple[float, float, float]]] = [[] for _ in graph.lengths]
        for edge, offset, (x, y) in zip(
            nodes.edge.tolist(), nodes.offset.tolist(), nodes.xy.tolist(), strict=True
        ):
            self.cells.setdefault(self._cell(x, y), []).append((edge, offset, x, y))
            if 0.0 < offset < graph.lengths[edge]:
                self.edges[edge].append((offset, x, y))
        last = graph.nodes[graph.ends[:, 1]].tolist()
        for at, start, end, length in zip(
            self.edges, graph.nodes[graph.ends[:, 0]].tolist(), last, graph.lengths.tolist(), strict=True
        ):
            at += [(0.0, *start), (length, *end)]
            at.sort()

    def take(self, xy: Floats, found: _Nearest) -> list[Place | None]:
        """Return the image of each point (K, 2) in turn; later points see the nodes of earlier ones."""
        bounds = np.searchsorted(found.point, np.arange(len(xy) + 1)).tolist()
        edges, offsets, feet = found.edge.tolist(), found.offset.tolist(), found.xy.tolist()
        places = [(edge, offset, *foot) for edge, offset, foot in zip(edges, offsets, feet, strict=True)]
        segments = found.segment.tolist()
        taken: list[Place | None] = []
        for number, (x, y) in enumerate(xy.tolist()):
            first, last = bounds[number], bounds[number + 1]
            place = self._same(x, y)
            if place is None and first < last:
                place = self._cut(places[first:last], segments[first:last])
            taken.append(place)
        return taken

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        return int(x // self.same), int(y // self.same)

    def _same(self, x: float, y: float) -> Place | None:
        """Return the nearest node in the place of a point; of equally near ones that of smallest (y, x)."""
        column, row = self._cell(x, y)
        best: tuple[float, float, float, int, float] | None = None
        for i in (column - 1, column, column + 1):
            for j in (row - 1, row, row + 1):
                for edge, offset, u, v in self.cells.get((i, j), ()):
                    distance = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
                    if distance < self.same:
                        key = (distance, v, u, edge, offset)
                        best = key if best is None or key < best else best
        return None if best is None else (best[3], best[4], best[2], best[1])

    def _cut(self, places: list[Place], segments: list[int]) -> Place:
        """Return the node at the end of the piece that a point falls on, or a new one."""
        if len(places) == 1:
            place, node = places[0], self._end(places[0])
        else:
            choices = []
            for candidate, segment in zip(places, segments, strict=True):
                end = self._end(candidate)
                pair = sorted(_rank(x, y) for _, x, y in self._around(candidate))
                key = (end is None, _rank(*candidate[2:]), pair, segment)
                choices.append((key, candidate, end))
            _, place, node = min(choices, key=lambda choice: choice[0])
        if node is not None:
            return node
        edge, offset, x, y = place
        at = self.edges[edge]
        at.insert(bisect_right(at, (offset, x, y)), (offset, x, y))
        self.cells.setdefault(self._cell(x, y), []).append(place)
        return place

    def _around(self, place: Place) -> list[tuple[float, float, float]]:
        """Return the nodes before and behind a place on its edge."""
        at = self.edges[place[0]]
        behind = min(max(bisect_right(at, (place[1], np.inf)), 1), len(at) - 1)
        return at[behind - 1 : behind + 1]

    def _end(self, place: Place) -> Place | None:
        edge, _, x, y = place
        near = [(((u - x) ** 2 + (v - y) ** 2) ** 0.5, offset, u, v) for offset, u, v in self._around(place)]
        distance, offset, u, v = min(near)
        return (edge, offset, u, v) if distance < self.same else None
