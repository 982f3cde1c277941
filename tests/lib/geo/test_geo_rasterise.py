from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from components.lib.geo.rasterise import (
    contact_mask,
    edge_mask,
    rasterise_instances,
    rasterise_targets,
)

SIDE = 24


@st.composite
def polygons(draw: st.DrawFn) -> shapely.Polygon:
    """Triangles to octagons on a quarter-pixel lattice, shifted to keep edges off pixel centres."""
    points = draw(
        st.lists(
            st.tuples(st.integers(-8, 4 * SIDE + 8), st.integers(-8, 4 * SIDE + 8)), min_size=3, max_size=8
        )
    )
    hull = shapely.convex_hull(shapely.MultiPoint([(x / 4 + 0.0137, y / 4 + 0.0071) for x, y in points]))
    return hull if isinstance(hull, shapely.Polygon) else shapely.box(1.01, 1.01, 3.02, 4.03)


def centres() -> npt.NDArray[np.object_]:
    grid = np.arange(SIDE) + 0.5
    x, y = np.meshgrid(grid, grid)
    return np.array(shapely.points(np.stack((x, y), axis=-1)), dtype=object)


@settings(max_examples=150, deadline=None)
@given(polygons())
def test_a_pixel_is_building_where_its_centre_lies_inside(polygon: shapely.Polygon) -> None:
    expected = shapely.contains(polygon, centres())
    on_edge = shapely.distance(polygon.exterior, centres()) < 1e-9  # either answer is right there

    burnt = rasterise_instances([polygon], SIDE, SIDE) > 0

    np.testing.assert_array_equal(burnt[~on_edge], expected[~on_edge])


def test_courtyard_stays_open() -> None:
    ring = shapely.Polygon(shapely.box(2, 2, 12, 12).exterior, [shapely.box(5, 5, 9, 9).exterior])
    mask = rasterise_instances([ring], SIDE, SIDE)

    assert (mask > 0).sum() == 100 - 16
    assert not mask[5:9, 5:9].any()


def test_each_building_has_its_own_label_and_none_gives_ground() -> None:
    labels = rasterise_instances([shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)], 4, 4)

    assert labels.tolist() == [[1, 1, 0, 0], [1, 2, 2, 0], [0, 2, 2, 0], [0, 0, 0, 0]]
    assert not rasterise_instances([], 4, 4).any()
    assert not rasterise_targets([], 4, 4, edge_px=3, contact_px=9).any()


@pytest.mark.parametrize("edge_px", [1, 3])
def test_edge_is_what_an_erosion_takes_away_from_each_building(edge_px: int) -> None:
    boxes = [shapely.box(3, 3, 14, 20), shapely.box(14, 3, 22, 20)]  # two that share a wall
    labels = rasterise_instances(boxes, SIDE, SIDE)
    kernel = np.ones((2 * edge_px + 1, 2 * edge_px + 1))
    expected = np.zeros((SIDE, SIDE), dtype=bool)
    for label in (1, 2):
        body = labels == label
        expected |= body & ~binary_erosion(body, kernel)

    np.testing.assert_array_equal(edge_mask(labels, edge_px), expected)


def test_tile_border_is_no_wall() -> None:
    labels = rasterise_instances([shapely.box(-5, 4, 10, 16)], SIDE, SIDE)
    edge = edge_mask(labels, 3)

    assert not edge[8:12, 0].any()
    assert edge[8:12, 7:10].all()


def test_edge_of_width_zero_is_empty() -> None:
    assert not edge_mask(rasterise_instances([shapely.box(2, 2, 9, 9)], SIDE, SIDE), 0).any()


@pytest.mark.parametrize(("gap", "touches"), [(0, True), (3, True), (7, True), (8, False)])
def test_buildings_touch_up_to_the_window_less_two(gap: int, touches: bool) -> None:
    labels = rasterise_instances([shapely.box(1, 5, 7, 15), shapely.box(7 + gap, 5, 22, 15)], SIDE, SIDE)

    assert contact_mask(labels, 9).any() == touches


def test_contact_equals_counting_labels_in_the_window() -> None:
    random = np.random.default_rng(4)
    boxes = [shapely.box(x, y, x + 4, y + 4) for x, y in random.integers(0, SIDE - 4, (9, 2))]
    labels = rasterise_instances(boxes, SIDE, SIDE)
    padded = np.pad(labels, 3)
    expected = [
        [len(set(padded[r : r + 7, c : c + 7].ravel()) - {0}) > 1 for c in range(SIDE)] for r in range(SIDE)
    ]

    np.testing.assert_array_equal(contact_mask(labels, 7), expected)


def test_targets_are_bytes_of_zero_and_one() -> None:
    target = rasterise_targets(
        [shapely.box(1, 1, 9, 9), shapely.box(12, 1, 20, 9)], SIDE, SIDE, edge_px=2, contact_px=9
    )

    assert target.shape == (SIDE, SIDE, 3)
    assert target.dtype == np.uint8
    assert set(np.unique(target)) == {0, 1}
    assert [int(target[..., c].any()) for c in range(3)] == [1, 1, 1]
