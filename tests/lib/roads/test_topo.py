from __future__ import annotations

from dataclasses import astuple

import pytest

from components.lib.metrics.counts import Counts
from components.lib.roads.graph.build import build_graph
from components.lib.roads.topo import TopoRules, count_topo
from tests.lib.roads.networks import CROSS, RING, Lines, grid, lines

RULES = TopoRules(radius=100.0, interval=30.0, hole=4.0)


@pytest.mark.parametrize(
    ("truth", "proposal", "counts"),
    [
        # From each end of 100: the start, 30, 60 and 90.
        ("0 0, 100 0", "0 0, 100 0", (8, 0, 0)),
        ("0 0, 100 0", "0 3, 100 3", (8, 0, 0)),
        ("0 0, 100 0", "0 5, 100 5", (0, 0, 8)),
        # From (0, 0) two of four are there; (100, 0) has no place on the proposal.
        ("0 0, 100 0", "0 0, 50 0", (2, 0, 6)),
        # 100 beyond the truth's end adds three marbles from that end, and none within reach of the other.
        ("0 0, 100 0", "0 0, 200 0", (8, 3, 0)),
    ],
)
def test_marbles_and_holes_of_a_line(truth: str, proposal: str, counts: tuple[int, int, int]) -> None:
    found = count_topo(build_graph(lines(truth)), build_graph(lines(proposal)), RULES)
    assert found == Counts(*counts)


@pytest.mark.parametrize("network", [CROSS, RING, grid()[0]], ids=["cross", "ring", "grid"])
def test_a_graph_matches_itself(network: Lines) -> None:
    graph = build_graph(network)
    found = count_topo(graph, graph, TopoRules(radius=250.0))
    assert found.tp > len(graph.nodes)
    assert (found.fp, found.fn) == (0, 0)


def test_a_start_within_an_edge_reaches_all_around_a_ring() -> None:
    """The proposal's ring has another junction, so that starts of the truth lie within its edges."""
    ring = build_graph(lines("0 0, 100 0, 100 100, 0 100, 0 0", "0 0, -50 0"))
    turned = build_graph(lines("50 0, 100 0, 100 100, 0 100, 0 0, 50 0", "0 0, -50 0", "50 0, 50 -1"))
    found = count_topo(ring, turned, TopoRules(radius=400.0, interval=30.0, hole=1.5))
    assert found.fn == 0
    assert found.fp == 0


@pytest.mark.parametrize(("truth", "proposal", "fn"), [([], [], 0), ([], CROSS, 0), (RING, [], 4)])
def test_empty_graphs(truth: Lines, proposal: Lines, fn: int) -> None:
    found = count_topo(build_graph(truth), build_graph(proposal), TopoRules(radius=1.0))
    assert astuple(found)[:3] == (0, 0, fn)
