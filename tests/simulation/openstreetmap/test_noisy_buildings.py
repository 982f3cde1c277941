from __future__ import annotations

import numpy as np
import pytest
import shapely

from components.simulation.city import City
from components.simulation.openstreetmap.buildings import Polygons, noisy_buildings
from components.simulation.openstreetmap.noise import PRESETS

AREA = (594300.0, 5749300.0, 595500.0, 5750500.0)
NOTHING = np.empty(0, dtype=object)


@pytest.fixture(scope="module")
def polygons() -> Polygons:
    return City(7).objects_in(AREA).polygons


def test_without_errors_all_buildings_stay(polygons: Polygons) -> None:
    drawn = noisy_buildings(polygons, NOTHING, PRESETS["none"], 3)
    assert [b.outline.wkb for b in drawn] == [p.wkb for p in polygons]


@pytest.mark.parametrize(
    ("preset", "missing", "stale"), [("light", 0.05, 0.01), ("vegas", 0.2, 0.03), ("poor", 0.57, 0.05)]
)
def test_shares_are_those_of_the_preset(
    polygons: Polygons, preset: str, missing: float, stale: float
) -> None:
    drawn = noisy_buildings(polygons, NOTHING, PRESETS[preset], 3)
    left = sum(not building.stale for building in drawn)
    assert len(polygons) > 700
    assert 1 - left / len(polygons) == pytest.approx(missing, abs=0.03)
    assert (len(drawn) - left) / len(polygons) == pytest.approx(stale, abs=0.02)


def test_a_building_moves_as_a_whole_and_by_little(polygons: Polygons) -> None:
    noise = PRESETS["vegas"]
    drawn = [b.outline for b in noisy_buildings(polygons, NOTHING, noise, 3) if not b.stale]
    centres = shapely.get_coordinates(shapely.centroid(polygons))
    nearest = shapely.STRtree(np.asarray(shapely.points(centres))).nearest(shapely.centroid(drawn))
    same = np.isclose(shapely.area(drawn), shapely.area(polygons[nearest]))
    moved = shapely.get_coordinates(shapely.centroid(drawn)) - centres[nearest]
    assert same.mean() > 0.9
    spread = np.hypot(noise.building_sd_m, noise.tile_sd_m)
    assert moved[same].std(axis=0) == pytest.approx([spread, spread], rel=0.2)
    assert np.hypot(*moved[same].mean(axis=0)) == pytest.approx(noise.city_shift_m, abs=0.6)


def test_stale_buildings_stand_where_nothing_is(polygons: Polygons) -> None:
    street = shapely.box(AREA[0], AREA[1], AREA[0] + 400, AREA[3])
    drawn = noisy_buildings(polygons, np.array([street], dtype=object), PRESETS["poor"], 3)
    stale = [building.outline for building in drawn if building.stale]
    assert len(stale) > 20
    assert not len(shapely.STRtree(polygons).query(stale, predicate="intersects")[0])
    assert not shapely.intersects(street, stale).any()
