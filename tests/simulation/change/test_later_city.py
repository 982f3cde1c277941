from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely

from components.simulation.change.construction import buildable
from components.simulation.change.later_city import LaterCity
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.patches import lay
from components.simulation.change.revision import SMALLEST_M2, Revision
from components.simulation.city import City, Index
from components.simulation.frame import GSD_M, Frame
from components.simulation.ground import draw_ground
from components.simulation.noise import Textures
from components.simulation.objects import Objects

PARAMETERS = SimulatedPairsParameters(seed=7)
DISTRICTS = [(i, j) for i in range(1976, 1981) for j in range(19164, 19168)]


@pytest.fixture(scope="module")
def city() -> City:
    return City(7)


@pytest.fixture(scope="module")
def later() -> LaterCity:
    return LaterCity(PARAMETERS)


@pytest.fixture(scope="module")
def districts(city: City, later: LaterCity) -> dict[Index, tuple[Objects, Revision]]:
    return {index: (city.objects(index), later.revision(index)) for index in DISTRICTS}


def outlines(revision: Revision, *kinds: str) -> list[shapely.Polygon]:
    return [change.outline for change in revision.changes if change.kind in kinds]


def test_shares_of_buildings_are_those_asked_for(districts: dict[Index, tuple[Objects, Revision]]) -> None:
    large = sum(
        int(np.count_nonzero(shapely.area(first.polygons) >= SMALLEST_M2)) for first, _ in districts.values()
    )
    assert large > 300
    found = Counter(c.kind for _, revision in districts.values() for c in revision.changes)
    altered = Counter(a.kind for _, revision in districts.values() for a in revision.alterations)
    assert found["removed"] / large == pytest.approx(PARAMETERS.removed, abs=0.02)
    assert altered["re-roofed"] / large == pytest.approx(PARAMETERS.re_roofed, abs=0.02)
    assert altered["raised"] / large == pytest.approx(PARAMETERS.raised, abs=0.02)
    # There is not room everywhere.
    assert 0.5 * PARAMETERS.added < found["added"] / large < PARAMETERS.added + 0.02
    assert 0.7 * PARAMETERS.enlarged < found["enlarged"] / large < PARAMETERS.enlarged + 0.02


def test_changes_are_large_enough_and_do_not_meet(districts: dict[Index, tuple[Objects, Revision]]) -> None:
    for _, revision in districts.values():
        changed = np.array([change.outline for change in revision.changes], dtype=object)
        assert all(outline.area >= SMALLEST_M2 and outline.is_valid for outline in changed)
        first, second = shapely.STRtree(changed).query(changed, predicate="intersects")
        apart = first < second
        overlap = shapely.area(shapely.intersection(changed[first], changed[second]))
        assert overlap[apart].max(initial=0) < 0.01


def test_new_buildings_stand_free_on_the_blocks(
    city: City, districts: dict[Index, tuple[Objects, Revision]]
) -> None:
    for index, (first, revision) in districts.items():
        ground = buildable(city, index)
        for outline in outlines(revision, "added"):
            assert ground.contains(outline)
            assert shapely.distance(first.polygons, outline).min(initial=np.inf) >= 1.5


def test_extensions_adjoin_one_building_and_overlap_none(
    districts: dict[Index, tuple[Objects, Revision]],
) -> None:
    for first, revision in districts.values():
        for outline in outlines(revision, "enlarged"):
            distance = np.sort(shapely.distance(first.polygons, outline))
            assert distance[0] < 0.01
            assert distance[1:2].min(initial=np.inf) >= 1.5
            assert shapely.area(shapely.intersection(first.polygons, outline)).max() < 0.01


def test_footprints_are_those_of_the_first_date_with_the_changes(
    districts: dict[Index, tuple[Objects, Revision]],
) -> None:
    for first, revision in districts.values():
        before, after = shapely.union_all(first.polygons), shapely.union_all(revision.objects.polygons)
        changed = shapely.union_all([change.outline for change in revision.changes])
        assert before.symmetric_difference(after).symmetric_difference(changed).area < 0.05
        assert set(shapely.get_type_id(revision.objects.polygons)) <= {3}
        numbers = revision.objects.boxes["building"]
        assert set(np.unique(numbers)) - {-1} == set(range(len(revision.objects.polygons)))


def test_no_tree_and_no_vehicle_stands_in_a_new_building(
    districts: dict[Index, tuple[Objects, Revision]],
) -> None:
    for first, revision in districts.values():
        built = shapely.union_all(outlines(revision, "added", "enlarged"))
        for records in (revision.objects.trees, revision.objects.slots):
            assert not shapely.contains_xy(built, records["x"], records["y"]).any()
        assert len(revision.objects.trees) > 0.8 * len(first.trees)


def test_a_district_depends_on_no_other(districts: dict[Index, tuple[Objects, Revision]]) -> None:
    index = max(districts, key=lambda i: len(districts[i][1].changes))
    alone = LaterCity(PARAMETERS).revision(index)
    assert len(alone.changes) > 5
    assert alone.changes == districts[index][1].changes
    assert np.array_equal(alone.objects.boxes, districts[index][1].objects.boxes)


def test_changes_are_found_where_they_lie(later: LaterCity) -> None:
    district = later.revision((1978, 19166))
    for change in district.changes:
        west, south, east, north = change.outline.bounds
        assert change in later.changes_in((west, south, west + 1.0, north))
        assert change not in later.changes_in((east + 1.0, south, east + 2.0, north))


def test_no_trace_of_a_removed_building_is_left_on_the_ground(later: LaterCity) -> None:
    frame = Frame(594600.0, 5750000.0, GSD_M, 400, 400)
    ground = draw_ground(later, Textures(7), frame)
    material = ground.material.copy()
    patches = later.patches_in(frame.bounds)
    lay(ground, patches, frame)
    assert (ground.material != material).any()
    removed = [c for c in later.changes_in(frame.bounds) if c.kind == "removed"]
    assert removed
    standing = shapely.union_all(later.objects_in(frame.bounds).polygons)
    laid = shapely.union_all([patch.outline for patch in patches if patch.material is not None])
    assert all(laid.contains(c.outline) and not standing.intersects(c.outline) for c in removed)
