from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from components.lib.geo.vectorise import building_parts, vectorise
from tests.lib.geo.arrays import geo_array

BOXES = [(3, 4, 20, 18), (40, 8, 55, 30), (10, 40, 60, 55)]


def perfect_map(orientation: int, size: int = 64) -> npt.NDArray[np.float32]:
    upright = np.zeros((size, size), dtype=np.float32)
    for x0, y0, x1, y1 in BOXES:
        upright[y0:y1, x0:x1] = 0.9
    return np.ascontiguousarray(np.rot90(upright, 2)) if orientation else upright


@pytest.mark.parametrize("orientation", [0, 1])
def test_a_perfect_map_gives_back_the_truth_polygons(orientation: int) -> None:
    found = vectorise(
        geo_array(perfect_map(orientation), orientation=orientation), threshold=0.5, min_area_px=80
    )
    truth = {shapely.normalize(shapely.box(*box)).wkt for box in BOXES}
    assert {shapely.normalize(geometry).wkt for geometry in found.geometries} == truth
    assert found.confidences == pytest.approx([0.9] * 3)


def test_confidence_is_the_mean_probability_of_the_part() -> None:
    probability = np.zeros((30, 30), dtype=np.float32)
    probability[:10, :5] = 0.6
    probability[:10, 5:10] = 1.0
    probability[20:, 20:] = 0.7
    found = vectorise(geo_array(probability, orientation=0), threshold=0.5, min_area_px=80)
    by_area = {
        geometry.bounds[0]: value for geometry, value in zip(found.geometries, found.confidences, strict=True)
    }
    assert by_area == pytest.approx({0.0: 0.8, 20.0: 0.7})


def test_parts_touching_at_a_corner_stay_apart_and_small_ones_are_dropped() -> None:
    probability = np.zeros((24, 24))
    probability[2:12, 2:12] = 1
    probability[12:22, 12:22] = 1
    probability[0, 20] = 1
    labels = building_parts(probability, threshold=0.5, min_area_px=80)
    assert labels.max() == 2
    assert labels[0, 20] == 0
    assert np.count_nonzero(labels) == 200


def test_the_threshold_itself_is_background() -> None:
    assert building_parts(np.full((10, 10), 0.5), threshold=0.5, min_area_px=1).max() == 0


def test_a_courtyard_stays_a_hole() -> None:
    probability = np.zeros((40, 40))
    probability[5:35, 5:35] = 1
    probability[15:25, 15:25] = 0
    found = vectorise(geo_array(probability, orientation=0), threshold=0.5, min_area_px=80)
    assert found.geometries[0].area == 800
    assert len(found.geometries[0].interiors) == 1


def test_an_empty_map_gives_no_proposals() -> None:
    found = vectorise(geo_array(np.zeros((8, 8)), orientation=1), threshold=0.5, min_area_px=80)
    assert len(found) == 0
    assert found.confidences.shape == (0,)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.7))
def test_polygons_cover_what_the_parts_cover(seed: int, threshold: float) -> None:
    noise = np.random.default_rng(seed).random((40, 40))
    found = vectorise(geo_array(noise, orientation=1), threshold=threshold, min_area_px=4, simplify_px=0.0)
    labels = building_parts(noise, threshold=threshold, min_area_px=4)
    assert len(found) == labels.max()
    assert shapely.is_valid(found.geometries).all()
    assert shapely.area(found.geometries).sum() == np.count_nonzero(labels)
