from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluate.apls.command import Choices, score_files
from components.lib.roads.apls import paths, score
from components.lib.roads.apls.points import control_points
from components.lib.roads.apls.rules import COSMIQ, JAVA, PIXEL_M, AplsRules, AplsScore
from components.lib.roads.apls.score import score_lines
from components.lib.roads.graph.build import build_graph
from tests.lib.roads.networks import CROSS, GOLDEN, LINE, LOOP, RING, Lines, grid, lines

IN_PIXELS = replace(
    COSMIQ,
    spacing=JAVA.spacing,
    snap=JAVA.snap,
    least_path=COSMIQ.least_path / PIXEL_M,
    least_part=0.0,
    least_part_proposal=0.0,
)
BOTH = pytest.mark.parametrize("rules", [JAVA, IN_PIXELS], ids=["java", "cosmiq"])


def three(found: AplsScore) -> tuple[float, float, float]:
    return found.truth_onto_proposal, found.proposal_onto_truth, found.apls


@pytest.mark.parametrize("case", GOLDEN)
def test_java_gives_the_golden_values_to_six_decimals(case: str) -> None:
    truth, proposal, nodes, expected = GOLDEN[case]
    assert three(score_lines(truth, proposal, JAVA)) == pytest.approx(expected, abs=5e-7)
    assert tuple(len(control_points(build_graph(g, 0.1), JAVA)) for g in (truth, proposal)) == nodes


@pytest.mark.parametrize("case", sorted(GOLDEN.keys() - {"detour", "moved by 13.0"}))
def test_cosmiq_gives_the_golden_values_to_four_decimals(case: str) -> None:
    truth, proposal, _, expected = GOLDEN[case]
    assert score_lines(truth, proposal, IN_PIXELS).apls == pytest.approx(expected[2], abs=5e-5)


def test_cosmiq_differs_on_a_detour_as_its_package_does() -> None:
    truth, proposal, _, _ = GOLDEN["detour"]
    assert score_lines(truth, proposal, IN_PIXELS).apls == pytest.approx(0.999337, abs=5e-7)


@pytest.mark.parametrize(
    ("length", "java", "cosmiq"), [(37.4, 0, 0), (37.5, 1, 1), (50.0, 1, 1), (100.0, 2, 1), (120.0, 2, 2)]
)
def test_midpoints_differ_at_exact_multiples_only(length: float, java: int, cosmiq: int) -> None:
    assert replace(JAVA, spacing=50.0).midpoints(length) == java
    assert COSMIQ.midpoints(length) == cosmiq


@pytest.mark.parametrize(("length", "nodes"), [(100, 2), (130, 3), (200, 3), (330, 4)])
def test_a_straight_edge_has_as_many_nodes_as_in_the_original(length: int, nodes: int) -> None:
    assert len(control_points(build_graph(lines(f"0 0, {length} 0"), 0.1), JAVA)) == nodes


@pytest.mark.parametrize("definition", ["java", "cosmiq"])
def test_figures_of_cosmiq_on_three_real_tiles(real_data: Path, definition: str) -> None:
    folder = real_data / "roads_vegas"
    with (folder / "apls_cosmiq_osm_as_proposal.csv").open() as file:
        known = list(csv.DictReader(file))
    assert len(known) == 3
    for row in known:
        name = f"{row['outroot']}.geojson"
        choices = Choices(definition="java" if definition == "java" else "cosmiq")
        found = score_files(folder / "truth" / name, folder / "osm" / name, choices)
        ours = [found[key] for key in ("apls", "truth_onto_proposal", "proposal_onto_truth")]
        theirs = [float(row[key]) for key in ("APLS", "APLS_gt_onto_prop", "APLS_prop_onto_gt")]
        assert ours == pytest.approx(theirs, abs=0.02), name


@pytest.mark.parametrize(
    ("truth", "proposal", "java", "cosmiq"),
    [([], [], 1.0, 0.0), (LINE, [], 0.0, 0.0), ([], LINE, 0.0, 0.0)],
)
def test_empty_graphs_follow_their_definition(
    truth: Lines, proposal: Lines, java: float, cosmiq: float
) -> None:
    assert three(score_lines(truth, proposal, JAVA)) == (java,) * 3
    assert three(score_lines(truth, proposal, IN_PIXELS)) == (cosmiq,) * 3


def test_a_tiny_section_adds_a_node_in_java() -> None:
    """A section of 0.01 to 0.1 px becomes a self-loop: nine nodes instead of eight (3.7)."""
    tiny = lines("0 0, 500 0, 500.04 0, 1000 0")
    assert len(control_points(build_graph(tiny, 0.1), JAVA)) == 9
    assert score_lines(tiny, tiny, JAVA).apls == 1.0


def test_parallel_edges_count_by_the_shorter_one() -> None:
    both = lines("0 0, 300 0", "0 0, 150 200, 300 0", "-300 0, 0 0", "300 0, 600 0")
    assert three(score_lines(both, both, JAVA)) == (1.0, 1.0, 1.0)
    longer_only = [both[1], both[2], both[3]]
    found = score_lines(both, longer_only, JAVA)
    assert 0.5 < found.truth_onto_proposal < 1.0


def test_short_parts_are_left_out_by_cosmiq_alone() -> None:
    with_crumb = [*LINE, *lines("0 500, 4 500")]
    assert score_lines(with_crumb, LINE, COSMIQ).apls == 1.0
    assert score_lines(with_crumb, LINE, replace(COSMIQ, least_part=0.0)).apls < 1.0
    assert score_lines(with_crumb, LINE, JAVA).apls < 1.0


def test_short_paths_count_in_cosmiq_only_where_the_start_is_missing() -> None:
    rules = replace(COSMIQ, least_path=20.0, least_part=0.0, least_part_proposal=0.0)
    truth = lines("0 0, 10 0", "100 0, 130 0")
    assert three(score_lines(truth, truth, rules)) == (1.0, 1.0, 1.0)
    # Both ends of the first road are missing: its two short paths count with error 1, beside two long ones.
    assert score_lines(truth, truth[1:], rules).truth_onto_proposal == 0.5


@BOTH
@pytest.mark.parametrize("whole", [0, 3000])
@pytest.mark.parametrize("pairs", [1, 50, 1 << 18])
def test_batches_change_no_score(
    rules: AplsRules, whole: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = three(score_lines(*grid(), rules))
    monkeypatch.setattr(score, "_PAIRS", pairs)
    monkeypatch.setattr(paths, "_WHOLE", whole)
    assert three(score_lines(*grid(), rules)) == pytest.approx(expected, abs=1e-12)


def drawn(seed: int) -> Lines:
    """A jittered grid of roads, some of them missing, and a road that crosses without a shared vertex."""
    rng = np.random.default_rng(seed)
    xy = np.stack(np.meshgrid(np.arange(4), np.arange(3)), -1) * 170.0 + rng.uniform(-40, 40, (3, 4, 2))
    ways = [xy[i, j : j + 2] for i in range(3) for j in range(3)]
    ways += [xy[i : i + 2, j] for i in range(2) for j in range(4)]
    kept = [way for way in ways if rng.random() < 0.8]
    return [*kept, rng.uniform(0, 500, (3, 2))]


networks = st.integers(0, 10_000).map(drawn)
FEW = settings(max_examples=8, derandomize=True)


@FEW
@given(network=networks)
def test_a_graph_equals_itself(network: Lines) -> None:
    assert three(score_lines(network, network, JAVA)) == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)
    assert three(score_lines(network, network, IN_PIXELS)) == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)


@BOTH
@FEW
@given(truth=networks, proposal=networks, seed=st.integers(0, 1000))
def test_exchange_order_direction_and_place_have_no_effect(
    rules: AplsRules, truth: Lines, proposal: Lines, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    proposal = [*proposal, *(one + rng.uniform(-5, 5, one.shape) for one in truth)]
    shift = rng.integers(-50, 50, 2)

    def other(network: Lines) -> Lines:
        turned = [one[::-1] if rng.random() < 0.5 else one for one in network]
        return [turned[k] + shift for k in rng.permutation(len(turned)).tolist()]

    one, exchanged = score_lines(truth, proposal, rules), score_lines(other(proposal), other(truth), rules)
    assert all(0.0 <= value <= 1.0 for value in three(one))
    expected = exchanged.proposal_onto_truth, exchanged.truth_onto_proposal, exchanged.apls
    assert three(one) == pytest.approx(expected, abs=1e-9)


def test_overlapping_lines_do_not_depend_on_their_order() -> None:
    """Roads drawn one over another tie everywhere (3.7)."""
    truth = lines("0 0, -22 0", "242 0, 0 0", "0 0, 77 352, 429 -11")
    proposal = lines("0 0, 330 0, 77 352", "-275 0, 297 0, 0 10", "418 0, 0 220, 66 0, -275 0")
    expected = three(score_lines(truth, proposal, JAVA))
    for k in range(3):
        turned = [one[::-1] for one in proposal[k:] + proposal[:k]]
        assert three(score_lines(truth[::-1], turned, JAVA)) == pytest.approx(expected, abs=1e-9)


@BOTH
@pytest.mark.parametrize("network", [LINE, CROSS, LOOP], ids=["line", "cross", "loop"])
def test_a_drawn_vertex_within_an_edge_has_no_effect(rules: AplsRules, network: Lines) -> None:
    def denser(one: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        middle = (one[:-1] * 0.63 + one[1:] * 0.37)[:, None]
        return np.concatenate((np.concatenate((one[:-1, None], middle), 1).reshape(-1, 2), one[-1:]))

    split = [denser(one) for one in network]
    for other in (LINE, CROSS, RING):
        expected = three(score_lines(network, other, rules))
        assert three(score_lines(split, other, rules)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("nodes", [100, 20_000])
def test_batches_hold_each_point_once_and_stay_small_in_a_large_graph(nodes: int) -> None:
    found = list(score.batches(3_000, nodes))
    assert [first for first, _ in found[1:]] == [last for _, last in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, 3_000)
    rows = max(last - first for first, last in found)
    assert rows * nodes <= 1 << 21
    assert rows > 100
