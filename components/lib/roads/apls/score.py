"""APLS of two road graphs.

For each ordered pair of control points (a, b) of one graph that a path joins, of length L, and the path
between their images on the other graph, of length L': the error is min(1, |L - L'| / L), and 1 without
images or path. The score of a direction is 1 minus the mean error, APLS the harmonic mean of both directions
(Van Etten et al., arXiv 1807.01232; details of both definitions in docs/methods/metrics.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from components.lib.roads.apls.images import images
from components.lib.roads.apls.paths import Network, Paths
from components.lib.roads.apls.points import Points, control_points
from components.lib.roads.apls.rules import AplsRules, AplsScore
from components.lib.roads.graph.build import build_graph, without_short_parts
from components.lib.roads.graph.model import Floats, RoadGraph

_PAIRS: Final = 1 << 18
"""Pairs of points of one batch at most: arrays of 2 MiB, which stay in the processor's cache."""

_TO_NODES: Final = 1 << 21
"""Paths from points of one batch to the nodes of a graph at most: 16 MiB, however large the graph."""

_ROUNDING: Final = 1e-12
"""Relative errors below this are the rounding of sums of lengths."""


def score_lines(truth: Sequence[Floats], proposal: Sequence[Floats], rules: AplsRules) -> AplsScore:
    """Return the score of a proposal.

    Args:
        truth: Vertices of each true road, (K, 2) with K of 2 or more, finite.
        proposal: The same of the proposal.
        rules: Definition, in the unit of the coordinates.
    """
    return score_graphs(
        without_short_parts(build_graph(truth, rules.grid), rules.least_part),
        without_short_parts(build_graph(proposal, rules.grid), rules.least_part_proposal),
        rules,
    )


def score_graphs(truth: RoadGraph, proposal: RoadGraph, rules: AplsRules) -> AplsScore:
    """Return the score of a graph; without a road in either graph 1 in ``java`` and 0 in ``cosmiq``."""
    if truth.is_empty or proposal.is_empty:
        both = truth.is_empty and proposal.is_empty and rules.definition == "java"
        return AplsScore(1.0, 1.0, 1.0) if both else AplsScore(0.0, 0.0, 0.0)
    true, proposed = _Side(truth, rules), _Side(proposal, rules)
    return AplsScore.of_directions(_direction(true, proposed, rules), _direction(proposed, true, rules))


class _Side:
    def __init__(self, graph: RoadGraph, rules: AplsRules) -> None:
        self.graph, self.network = graph, Network(graph)
        self.points = control_points(graph, rules)


def _direction(reference: _Side, other: _Side, rules: AplsRules) -> float:
    """Return 1 minus the mean error of the reference's paths, looked for in the other graph."""
    points = reference.points
    found = images(points, other.graph, other.points, rules)
    order = np.argsort(points.edge, kind="stable")  # neighbours share their junctions
    points, found = points[order], found[order]
    total = _errors(Paths(reference.network, points), Paths(other.network, found), found, rules)
    if not total.routes:
        return 1.0 if rules.definition == "java" else 0.0
    return max(0.0, 1.0 - total.error / total.routes)


@dataclass(slots=True)
class Total:
    """Sum of errors, and number of paths, of ordered pairs."""

    error: float = 0.0
    routes: int = 0


def _errors(reference: Paths, other: Paths, found: Points, rules: AplsRules) -> Total:
    """Sum the errors of all ordered pairs."""
    total = Total()
    for first, last in batches(len(found), max(reference.nodes, other.nodes)):
        add_errors(total, (reference, other), found.missing, (first, last), rules)
    return total


def batches(points: int, nodes: int) -> Iterator[tuple[int, int]]:
    """Yield first and last (exclusive) point of each batch, whose paths go to all points from the first on.

    Args:
        points: Number of points.
        nodes: Nodes of the larger graph.
    """
    first = 0
    while first < points:
        rows = min(_PAIRS // (points - first), _TO_NODES // max(nodes, 1))
        last = min(points, first + max(1, rows))
        yield first, last
        first = last


def add_errors(
    total: Total,
    paths: tuple[Paths, Paths],
    missing: npt.NDArray[np.bool_],
    batch: tuple[int, int],
    rules: AplsRules,
) -> None:
    """Add the errors of a batch; a path and its way back are equally long, and counted twice.

    Args:
        total: Sum to add to.
        paths: Paths of the reference, and those between the images of its points.
        missing: (K,) points without an image.
        batch: First and last (exclusive) point.
        rules: Definition.
    """
    first, last = batch
    real, theirs = (side.lengths(first, last) for side in paths)
    square = real[:, : last - first]
    square[np.tril_indices(last - first)] = np.inf  # each pair once, none with itself
    counted = np.isfinite(real)
    short = counted & (real < rules.least_path) if rules.least_path > 0 else None
    if short is not None and short.any():
        # CosmiQ/apls leaves short paths out, but not where the starting point has no image.
        row, column = np.nonzero(short)
        unseen = int(missing[first + row].sum()) + int(missing[first + column].sum())
        total.error, total.routes = total.error + unseen, total.routes + unseen
        counted &= ~short
    total.error += 2 * _sum_of_errors(real[counted], theirs[counted])
    total.routes += 2 * int(np.count_nonzero(counted))


def _sum_of_errors(real: Floats, theirs: Floats) -> float:
    """Return the sum of the errors of paths (K,): 0 where both lengths are 0, 1 where only one is."""
    difference = np.abs(real - theirs)
    relative = np.divide(difference, real, out=(difference > 0).astype(np.float64), where=real > 0)
    relative[relative < _ROUNDING] = 0.0
    return float(np.minimum(relative, 1.0, out=relative).sum())
