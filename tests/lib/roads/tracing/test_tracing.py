from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from components.contract.errors import BadDataError, ParameterError
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.rules import PIXEL_M, TracingRules
from components.lib.roads.tracing.skeleton import cleaned, skeleton_of
from components.lib.roads.tracing.trace import TracedRoads, trace_roads
from components.lib.roads.tracing.widths import HALF_WIDTH_M, half_widths, speeds_of
from tests.lib.roads.tracing.masks import (
    GSD_M,
    UTM,
    cross,
    degrees,
    empty,
    gap,
    in_degrees,
    mask_of,
    ring,
    tee,
    traced,
)

ALL_PIXELS = TracingRules(least_area_m2=0.0)


def same(one: TracedRoads, other: TracedRoads) -> bool:
    return bool(
        np.array_equal(shapely.to_wkb(one.graph.shapes), shapely.to_wkb(other.graph.shapes))
        and np.array_equal(one.graph.ends, other.graph.ends)
        and np.array_equal(one.width_m, other.width_m)
    )


def test_the_rules_are_the_winners_pixels_of_30_cm() -> None:
    rules = TracingRules()
    winner = {"border_m": 5, "spur_m": 10, "simplify_m": 2, "gap_m": 20, "long_gap_m": 100, "offset_m": 20}
    assert {name: getattr(rules, name) / PIXEL_M for name in winner} == pytest.approx(winner)
    assert rules.least_area_m2 / PIXEL_M**2 == pytest.approx(300)
    assert (rules.threshold, rules.angle_deg) == (0.3, 20.0)


@pytest.mark.parametrize(
    "wrong", [{"spur_m": -1.0}, {"gap_m": np.nan}, {"gap_m": 40.0}, {"angle_deg": 91.0}, {"border_m": 1e9}]
)
def test_impossible_rules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        TracingRules(**wrong)


def test_a_cross_has_one_junction_and_four_roads() -> None:
    found = traced(cross())
    assert degrees(found) == [1, 1, 1, 1, 4]
    junction = found.graph.nodes[np.bincount(found.graph.ends.ravel()) == 4][0]
    assert junction == pytest.approx((100.5, 100.5), abs=1.0)
    # An end lies half the road's width before the end of the mask.
    assert found.length_m == pytest.approx(np.full(4, (80 - 4.5) * GSD_M), abs=1.0)
    assert found.width_m == pytest.approx(np.full(4, 9 * GSD_M), abs=0.3)


def test_a_t_has_three_roads_that_reach_the_border() -> None:
    found = traced(tee())
    assert degrees(found) == [1, 1, 1, 3]
    x, y = found.graph.nodes.T
    assert x.min() < 1.0
    assert x.max() > 199.0
    assert y.min() < 3.0


def test_a_ring_is_one_road_from_a_node_to_itself() -> None:
    found = traced(ring())
    assert len(found) == 1
    assert found.graph.ends.tolist() == [[0, 0]]
    assert found.graph.shapes[0].is_ring
    assert found.length_m[0] == pytest.approx(2 * np.pi * 60 * GSD_M, rel=0.02)


def test_a_ring_with_a_road_keeps_its_loop() -> None:
    road = ring()
    road[96:105, :40] = True
    found = traced(road)
    assert degrees(found) == [1, 3]
    assert sorted(found.graph.ends[:, 0] == found.graph.ends[:, 1]) == [False, True]


def test_parallel_roads_stay_apart() -> None:
    road = empty()
    road[50:59] = road[70:79] = True
    found = traced(road)
    assert degrees(found) == [1, 1, 1, 1]
    assert found.graph.nodes[:, 1] == pytest.approx([54.5, 54.5, 74.5, 74.5], abs=1.0)


def test_two_roads_around_a_block_stay_parallel_edges() -> None:
    road = empty()
    road[96:105] = road[46:55, 50:150] = road[46:105, 50:59] = road[46:105, 141:150] = True
    found = traced(road)
    assert degrees(found) == [1, 1, 3, 3]
    ends = np.sort(found.graph.ends, axis=1)
    assert len(np.unique(ends, axis=0)) == 3
    assert len(found) == 4


@pytest.mark.parametrize(("rows_per_column", "columns"), [(1, 1), (1, 2), (2, 1)])
def test_a_staircase_is_one_road(rows_per_column: int, columns: int) -> None:
    road = empty()
    for step in range(60):
        road[step * rows_per_column : (step + 1) * rows_per_column + 1, step * columns] = True
        road[(step + 1) * rows_per_column, step * columns : (step + 1) * columns + 1] = True
    found = traced(road, ALL_PIXELS)
    assert degrees(found) == [1, 1]
    assert found.length_m[0] == pytest.approx(60 * np.hypot(rows_per_column, columns) * GSD_M, rel=0.02)


def test_pixels_that_touch_by_corners_are_one_road() -> None:
    road = np.eye(200, dtype=bool)
    assert degrees(traced(road, ALL_PIXELS)) == [1, 1]
    assert degrees(traced(road[:100, :100])) == []  # 25 square metres are below the least area


@pytest.mark.parametrize(("px", "parts"), [(4, 1), (40, 1), (58, 2)])
def test_gaps_in_one_line_are_joined_up_to_30_metres(px: int, parts: int) -> None:
    # The ends of the skeleton lie half the road's width, 4.5 px, before the gap.
    found = traced(gap(px))
    assert degrees(found) == [1, 1] * parts
    assert len(found) == parts
    if parts == 1:
        assert found.length_m[0] == pytest.approx(100.0, abs=1.0)
        assert found.width_m[0] == pytest.approx(4.5, abs=0.3)


def test_gaps_beside_the_line_are_joined_up_to_6_metres_alone() -> None:
    near, far = gap(2), gap(20)
    for road in (near, far):
        road[:, 100:] = np.roll(road[:, 100:], 30, axis=0)
    assert len(traced(near)) == len(traced(far)) == 2
    shifted = gap(2)
    shifted[:, 100:] = np.roll(shifted[:, 100:], 6, axis=0)
    shifted[:, 100:102] = False
    assert len(traced(shifted)) == 1


def test_dead_ends_that_turn_away_from_each_other_are_not_joined() -> None:
    road = empty()
    road[96:105, :60] = road[:60, 96:105] = True  # a corner without its middle
    assert len(traced(road)) == 2


def test_each_dead_end_is_joined_once_the_nearest_first() -> None:
    road = gap(30)
    road[110:119, 140:] = True
    found = traced(road, TracingRules(gap_m=0.0))
    assert len(found) == 2
    assert found.length_m.max() == pytest.approx(100.0, abs=1.0)


def test_the_ends_of_one_short_road_are_not_joined() -> None:
    road = empty()
    road[100:105, 100:118] = True
    found = traced(road, TracingRules(least_area_m2=1.0))
    assert degrees(found) == [1, 1]


def test_spurs_are_dropped_and_their_junctions_too() -> None:
    road = empty()
    road[100] = True
    road[96:100, 90] = road[80:100, 30] = True  # 2 m and 10 m
    found = traced(road, ALL_PIXELS)
    assert degrees(found) == [1, 1, 1, 3]
    assert len(traced(road, replace(ALL_PIXELS, spur_m=12.0))) == 1


def test_small_objects_and_holes_are_removed() -> None:
    road = gap(0)
    road[20:30, 20:30] = True  # 25 square metres
    road[99:102, 60:80] = False  # 15 square metres
    kept = cleaned(road, (GSD_M, GSD_M), TracingRules())
    assert np.array_equal(kept, gap(0))
    assert np.array_equal(cleaned(road, (GSD_M, GSD_M), ALL_PIXELS), road)
    road[20:32, 20:30] = True
    assert cleaned(road, (GSD_M, GSD_M), TracingRules())[20:32, 20:30].all()


def test_an_empty_mask_is_an_empty_graph() -> None:
    found = traced(empty())
    assert len(found) == 0
    assert found.graph.is_empty
    assert found.on_map().shape == (0,)
    assert found.travel_s.shape == (0,)


def test_a_mask_of_road_alone_has_no_width_beyond_what_is_measured() -> None:
    skeleton = skeleton_of(np.ones((50, 50), dtype=bool), (GSD_M, GSD_M), TracingRules())
    widths = half_widths(np.ones((50, 50), dtype=bool), skeleton, (GSD_M, GSD_M))
    assert np.all(widths == HALF_WIDTH_M - GSD_M / 2)
    assert isinstance(traced(np.ones((50, 50), dtype=bool)), TracedRoads)


def test_pixels_that_are_not_square_count_their_metres() -> None:
    square = traced(cross())
    flat = trace_roads(mask_of(cross().repeat(2, axis=1), gsd_m=(0.25, 0.5)))
    assert degrees(flat) == degrees(square)
    # The skeleton is drawn in pixels: ends of roads along the longer side of a pixel lie 2 m farther in.
    assert np.sort(flat.length_m) == pytest.approx(np.sort(square.length_m), abs=2.5)
    assert flat.width_m == pytest.approx(square.width_m, abs=0.4)


def test_degrees_count_metres_of_the_ellipsoid() -> None:
    mask = in_degrees(cross())
    assert mask.pixel_m() == pytest.approx((GSD_M, GSD_M), rel=0.005)
    found = trace_roads(mask)
    shapes = shapely.length(shapely.transform(found.graph.shapes, lambda xy: xy * np.array(mask.pixel_m())))
    assert found.length_m == pytest.approx(shapes, rel=1e-5)
    assert degrees(found) == [1, 1, 1, 1, 4]


def test_web_mercator_counts_no_true_metres() -> None:
    transform = PixelTransform(1.0, 0.0, 0.0, 0.0, -1.0, 8_399_737.9)  # 60 degrees north
    mask = RoadMask(road=cross(), transform=transform, crs="EPSG:3857")
    assert mask.pixel_m() == pytest.approx((0.5, 0.5), rel=0.01)


def test_slanted_pixels_are_refused() -> None:
    mask = RoadMask(road=cross(), transform=PixelTransform(0.5, 0.2, 0.0, 0.0, -0.5, 0.0), crs=UTM)
    with pytest.raises(BadDataError, match="not perpendicular"):
        trace_roads(mask)


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (PixelTransform(1e-5, 0.0, 0.0, 0.0, -1e-5, 0.0), UTM),
        (PixelTransform(0.5, 0.0, 0.0, 0.0, -0.5, 0.0), "EPSG:4326"),
        (PixelTransform(0.5, 0.0, 5e8, 0.0, -0.5, 4e9), "EPSG:4326"),
    ],
)
def test_pixels_of_no_possible_size_are_refused(transform: PixelTransform, crs: str) -> None:
    with pytest.raises(BadDataError, match="its pixels measure"):
        trace_roads(RoadMask(road=cross(), transform=transform, crs=crs))


def test_a_turned_raster_gives_the_graph_of_its_pixels_on_the_map() -> None:
    upright = traced(tee())
    turned = PixelTransform(0.0, 0.5, 500_000.0, -0.5, 0.0, 4_000_000.0)
    found = trace_roads(RoadMask(road=tee(), transform=turned, crs=UTM))
    assert same(found, upright)
    assert found.nodes_on_map() == pytest.approx(
        np.column_stack((upright.graph.nodes[:, 1], -upright.graph.nodes[:, 0])) * GSD_M
        + [500_000.0, 4_000_000.0]
    )


def test_probabilities_of_a_turned_image_without_data_at_an_end() -> None:
    valid = np.ones((200, 200), dtype=bool)
    valid[:, 150:] = False
    image = GeoArray(
        values=np.where(gap(0), 0.4, 0.2)[None],
        bands=("road",),
        valid=valid,
        transform=PixelTransform.north_up(x_left_m=500_000.0, y_top_m=4_000_000.0, gsd_m=GSD_M).turned(
            200, 200
        ),
        crs=UTM,
        sensor="s",
        orientation=1,
    )
    mask = RoadMask.of_probability(image, 0.3)
    assert mask.transform == mask_of(gap(0)).transform
    assert mask.road.any(axis=0).tolist() == [False] * 50 + [True] * 150
    assert not RoadMask.of_probability(image, 0.4).road.any()
    assert degrees(trace_roads(mask)) == [1, 1]


def test_edges_run_from_smaller_to_larger_places_and_lie_in_order() -> None:
    found = traced(tee() | ring())
    lines = [np.asarray(shape.coords)[:, ::-1].ravel().tolist() for shape in found.graph.shapes]
    assert lines == sorted(lines)
    assert all(line[:2] <= line[-2:] for line in lines)
    nodes = found.graph.nodes
    assert np.array_equal(np.lexsort((nodes[:, 0], nodes[:, 1])), np.arange(len(nodes)))
    for shape, (start, end) in zip(found.graph.shapes, found.graph.ends.tolist(), strict=True):
        assert shape.coords[0] == tuple(nodes[start])
        assert shape.coords[-1] == tuple(nodes[end])


def test_tracing_twice_gives_the_same() -> None:
    noisy = tee() & (np.random.default_rng(0).random((200, 200)) > 0.1)
    assert same(traced(noisy), traced(noisy))


def test_widths_tell_speeds_and_times() -> None:
    assert speeds_of(np.array([2.0, 4.0, 8.0, 12.0, 40.0])).tolist() == [20.0, 30.0, 50.0, 60.0, 80.0]
    found = traced(gap(0))
    assert found.width_m[0] == pytest.approx(4.5, abs=0.1)
    assert found.travel_s[0] == pytest.approx(found.length_m[0] / (30.0 / 3.6))
