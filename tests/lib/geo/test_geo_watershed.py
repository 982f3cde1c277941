from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from components.lib.geo.rasterise import rasterise_targets
from components.lib.geo.vectorise import building_parts, vectorise
from components.lib.geo.watershed import (
    building_instances,
    seed_area_px,
    vectorise_contours,
)
from tests.lib.geo.arrays import contour_array, geo_array

APART = [(3, 4, 25, 28), (40, 8, 58, 30), (10, 40, 36, 60)]
"""Large enough for a seed of 110 pixels within a rim of 3."""
TOUCHING = [(4, 6, 24, 40), (24, 6, 50, 40)]
SETTINGS: dict[str, Any] = {
    "threshold": 0.5,
    "seed_threshold": 0.75,
    "min_seed_px": 110,
    "min_area_px": 80,
}

Maps = list[npt.NDArray[np.float64]]


def perfect(boxes: list[tuple[int, int, int, int]], orientation: int = 0, size: int = 64) -> Maps:
    """Footprint, edge and contact exactly as the store's target has them."""
    target = rasterise_targets([shapely.box(*b) for b in boxes], size, size, edge_px=3, contact_px=9)
    upright = target.astype(np.float64)
    stored = np.rot90(upright, 2) if orientation else upright
    return [np.ascontiguousarray(stored[..., k]) for k in range(3)]


def drawn(geometries: npt.NDArray[np.object_]) -> set[str]:
    return {shapely.normalize(geometry).wkt for geometry in geometries}


@pytest.mark.parametrize("orientation", [0, 1])
@pytest.mark.parametrize("boxes", [APART, TOUCHING], ids=["apart", "touching"])
def test_perfect_maps_give_back_the_truth_polygons(
    boxes: list[tuple[int, int, int, int]], orientation: int
) -> None:
    found = vectorise_contours(contour_array(perfect(boxes, orientation), orientation), **SETTINGS)
    assert drawn(found.geometries) == {shapely.normalize(shapely.box(*box)).wkt for box in boxes}
    assert found.confidences == pytest.approx([1.0] * len(boxes))


def test_the_plain_vectoriser_would_merge_touching_buildings() -> None:
    footprint, _, _ = perfect(TOUCHING)
    assert len(vectorise(geo_array(footprint), threshold=0.5, min_area_px=80)) == 1


def test_touching_buildings_are_separated_in_blurred_noisy_maps() -> None:
    random = np.random.default_rng(1)
    maps = [0.02 + 0.93 * m + 0.04 * random.random(m.shape) for m in perfect(TOUCHING)]
    found = vectorise_contours(contour_array(maps, 0), **SETTINGS)
    assert len(found) == 2
    for box in TOUCHING:
        truth = shapely.box(*box)
        ious = [g.intersection(truth).area / g.union(truth).area for g in found.geometries]
        assert max(ious) > 0.85, "the wall is found within the width of the contact"


def test_without_contours_it_is_the_plain_vectoriser() -> None:
    footprint, _, _ = perfect(APART)
    empty = np.zeros_like(footprint)
    found = vectorise_contours(contour_array([footprint, empty, empty], 0), **SETTINGS)
    plain = vectorise(geo_array(footprint), threshold=0.5, min_area_px=80)
    assert drawn(found.geometries) == drawn(plain.geometries)
    assert found.confidences == pytest.approx(plain.confidences)


def test_a_building_too_small_for_a_seed_is_kept_or_dropped_as_asked() -> None:
    small = [(5, 5, 15, 15)]
    maps = perfect(small)
    assert len(vectorise_contours(contour_array(maps, 0), **SETTINGS)) == 1
    winner = {**SETTINGS, "keep_seedless": False}
    assert len(vectorise_contours(contour_array(maps, 0), **winner)) == 0


def test_cutting_contacts_as_the_winner_did_shaves_the_facing_walls() -> None:
    labels = building_instances(*perfect(TOUCHING), **SETTINGS, cut_contacts=True)
    assert labels.max() == 2
    assert np.count_nonzero(labels) == (20 - 4) * 34 + (26 - 4) * 34
    assert labels[20, 24] == 0


def test_the_least_seed_follows_the_pixel_size() -> None:
    assert seed_area_px(0.5) == 110
    assert seed_area_px(1.0) == 28
    assert seed_area_px(0.25) == 440
    maps = perfect([(3, 3, 18, 18)])  # a core of 9 x 9
    dropped = {**SETTINGS, "keep_seedless": False}
    assert building_instances(*maps, **dropped).max() == 0
    assert building_instances(*maps, **{**SETTINGS, "keep_seedless": False, "min_seed_px": 28}).max() == 1


def test_empty_maps_give_no_proposals() -> None:
    empty = np.zeros((16, 16))
    found = vectorise_contours(contour_array([empty] * 3, 1), **SETTINGS)
    assert len(found) == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_instances_partition_what_is_building(seed: int) -> None:
    random = np.random.default_rng(seed)
    footprint, edge, contact = (random.random((40, 40)) for _ in range(3))
    chosen = {**SETTINGS, "min_seed_px": 3, "seed_threshold": 0.3, "min_area_px": 1}
    labels = building_instances(footprint, edge, contact, **chosen)
    assert np.array_equal(labels > 0, footprint > 0.5), "nothing is lost and nothing is added"
    parts = building_parts(footprint, threshold=0.5, min_area_px=1)
    for value in range(1, int(labels.max()) + 1):
        assert len(np.unique(parts[labels == value])) == 1, "no building crosses background"
    found = vectorise_contours(contour_array([footprint, edge, contact], 0), **chosen)
    assert len(found) == labels.max()


def test_walls_depend_on_no_other_building_in_the_image() -> None:
    # Saturated maps: all seed pixels are of equal height, and seeds meet at some corners.
    random = np.random.default_rng(0)
    chosen = {**SETTINGS, "min_seed_px": 1, "seed_threshold": 0.3, "min_area_px": 1}
    footprint = np.kron(random.random((30, 30)) < 0.35, np.ones((2, 2))).astype(np.float32)
    edge, contact = (random.integers(0, 3, (60, 60)).astype(np.float32) / 4 for _ in range(2))
    whole = building_instances(footprint, edge, contact, **chosen)
    parts, count = ndimage.label(footprint, structure=np.ones((3, 3)))
    assert count > 10
    for value in range(1, count + 1):
        own = building_instances(np.where(parts == value, footprint, 0), edge, contact, **chosen)
        pairs = set(zip(whole[parts == value].tolist(), own[parts == value].tolist(), strict=True))
        assert len(pairs) == own.max(), "the same pixels belong together"
