"""Road labels of the simulated world, written only where the world is asked for them."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest
import shapely

from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.datasets.sensors import get_sensor
from components.lib.roads.labels import read_road_lines
from components.simulation.city import city_of
from components.simulation.frame import Frame
from components.simulation.labels import road_geojson
from components.simulation.release import ReleaseFile, count_files, products_of, release_files
from components.simulation.streets import streets_in
from tests.simulation.conftest import SMALLEST

AIRBORNE = get_sensor("simulated-airborne")
ROADS = SMALLEST.model_copy(update={"roads": True})


def test_the_files_of_a_tile_are_followed_by_its_roads(airborne: list[ReleaseFile]) -> None:
    assert [p.name for p in products_of(AIRBORNE, ROADS)] == [
        *(p.name for p in products_of(AIRBORNE, SMALLEST)),
        "Roads",
    ]
    assert count_files(AIRBORNE, ROADS, "x") == count_files(AIRBORNE, SMALLEST, "x") + 12
    first = list(islice(release_files(AIRBORNE, ROADS, "test-airborne", workers=1), 5))
    assert first[:4] == airborne[:4], "roads change no other byte"
    assert "/geojson_roads/SN6_Train_AOI_11_Rotterdam_Roads_" in first[4].path
    json.loads(first[4].content)


def test_labels_are_the_streets_with_their_widths_cut_near_the_tile() -> None:
    assert REHEARSAL.roads is not None
    streets, frame = None, None
    for north in np.arange(5_750_000.0, 5_751_000.0, 100.0):
        frame = Frame(595_000.0, north, 0.5, 200, 200)
        streets = streets_in(city_of(7), frame.bounds)
        if streets:
            break
    assert streets
    assert frame is not None
    found = read_road_lines(road_geojson(streets, frame), "a.geojson", AIRBORNE.crs, REHEARSAL.roads)
    assert {road.width_m for road in found.lines} == {street.width_m for street in streets}
    assert not any(road.uncertain for road in found.lines)
    tile = shapely.box(*frame.bounds)
    near = shapely.union_all([s.line for s in streets]).intersection(tile).length
    ours = shapely.union_all([road.line for road in found.lines]).intersection(tile).length
    assert ours == pytest.approx(near, rel=1e-6)
    beyond = max(shapely.distance(shapely.Point(p), tile) for road in found.lines for p in road.line.coords)
    assert beyond <= max(s.width_m for s in streets) / np.sqrt(2) + 1e-3
