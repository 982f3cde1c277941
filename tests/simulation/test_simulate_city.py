from __future__ import annotations

import numpy as np
import pytest
import shapely

from components.simulation.city import REACH_M, City
from components.simulation.frame import GSD_M, Frame
from components.simulation.ground import draw_ground
from components.simulation.noise import Textures
from components.simulation.objects import BOXES, Material, ObjectBuilder, Roof, corners, part
from components.simulation.surface import draw_surface

AREA = (594600.0, 5749700.0, 595300.0, 5750400.0)


@pytest.fixture(scope="module")
def city() -> City:
    return City(7)


def test_footprints_are_valid_single_polygons_that_do_not_overlap(city: City) -> None:
    polygons = city.objects_in(AREA).polygons
    assert len(polygons) > 100
    assert shapely.is_valid(polygons).all()
    assert set(shapely.get_type_id(polygons)) == {3}
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    overlap = shapely.area(shapely.intersection(polygons[first], polygons[second]))[first < second]
    assert overlap.max(initial=0) < 0.01


def test_sizes_run_from_sheds_to_halls(city: City) -> None:
    area = shapely.area(city.objects_in((594000, 5749000, 595500, 5750500)).polygons)
    assert (area < 20).mean() > 0.05
    assert area.max() > 1500
    assert 60 < np.median(area[area > 20]) < 400


def test_any_query_gives_the_same_objects(city: City) -> None:
    whole = city.objects_in(AREA)
    small = City(7).objects_in((594900, 5750000, 595000, 5750100))
    known = {shapely.to_wkb(p) for p in whole.polygons}
    assert len(small.polygons)
    assert all(shapely.to_wkb(p) in known for p in small.polygons)
    assert set(np.unique(small.boxes["building"])) - {-1} == set(range(len(small.polygons)))


def test_no_district_reaches_farther_than_a_query_looks(city: City) -> None:
    for index in city.sites_near((594600, 5749700, 594700, 5749800)):
        site, found = city.district(index), city.objects(index)
        for records in (found.boxes, found.trees, found.slots):
            assert (np.hypot(records["x"] - site.x, records["y"] - site.y) < REACH_M).all()


def test_seeds_make_different_cities(city: City) -> None:
    other = City(8).objects_in(AREA).polygons
    assert {shapely.to_wkb(p) for p in other}.isdisjoint(
        {shapely.to_wkb(p) for p in city.objects_in(AREA).polygons}
    )


def test_ground_agrees_where_two_rasters_meet(city: City) -> None:
    textures = Textures(7)
    whole = draw_ground(city, textures, Frame(594700.0, 5750300.0, GSD_M, 300, 400))
    part_ = draw_ground(
        city, textures, Frame(594700.0 + 150 * GSD_M, 5750300.0 - 100 * GSD_M, GSD_M, 100, 120)
    )
    same = whole.material[100:200, 150:270] == part_.material
    assert same.mean() > 0.995
    assert len(np.unique(whole.material)) >= 4


def test_no_building_stands_in_a_street_or_in_water(city: City) -> None:
    frame = Frame(594600.0, 5750400.0, GSD_M, 700, 700)
    ground = draw_ground(city, Textures(7), frame)
    surface = draw_surface(city.objects_in(frame.bounds), ground, frame)
    boxes = city.objects_in(frame.bounds).boxes
    built = (surface.box >= 0) & (boxes["building"][surface.box] >= 0)
    assert built.mean() > 0.05
    assert (ground.material[built] == Material.WATER).mean() < 0.002
    assert (ground.material[built] == Material.ASPHALT).mean() < 0.2


def test_a_building_with_a_part_outside_its_region_is_dropped_whole() -> None:
    builder = ObjectBuilder()
    builder.building(part(0, 0, (5, 3), 6, Material.TILES), part(8, 0, (4, 3), 6, Material.TILES))
    builder.building(part(0, 10, (5, 3), 6, Material.TILES, roof=Roof.GABLE, rise=4))
    placed = builder.place(
        100.0, 200.0, 0.3, shapely.Point(100, 200).buffer(11.5).union(shapely.box(80, 205, 120, 230))
    )
    assert len(placed.polygons) == 1
    assert placed.polygons[0].area == pytest.approx(60)
    mean, median, deviation = placed.heights[0]
    assert (mean, median) == (8.0, 8.0)
    assert deviation == pytest.approx(4 / np.sqrt(12))


def test_corners_are_counter_clockwise() -> None:
    box = np.array([(10, 20, 0.7, 4, 2, 5, 0, 0, 8, 0.5, 0)], dtype=BOXES)
    polygon = shapely.Polygon(corners(box)[0])
    assert polygon.exterior.is_ccw
    assert polygon.area == pytest.approx(32)
