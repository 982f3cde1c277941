from __future__ import annotations

from itertools import permutations
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from shapely import affinity

from components.lib.geo.grid import Grid
from components.lib.mapping import regular
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.buildings import Buildings, concatenate
from components.lib.mapping.drawing import Outlines
from components.lib.mapping.pieces import draw_block
from components.lib.mapping.regular import regular_outlines
from components.lib.metrics.spacenet_f1 import match_polygons
from components.lib.tasks.buildings import BUILDINGS
from tests.lib.mapping.planted import drawer, planted, run

GRID = Grid(x_left_m=596_000.0, y_top_m=5_752_000.0, gsd_m=0.5, height=100, width=200)


def of(*polygons: shapely.Polygon) -> Buildings:
    geometries = np.asarray(shapely.normalize(np.array(polygons, dtype=object)), dtype=object)
    return Buildings(geometries, np.arange(len(polygons)) / 8)


def test_buildings_are_placed_on_the_ground() -> None:
    found = of(shapely.box(10, 20, 30, 60))
    assert found.areas_px.tolist() == [800.0]
    assert found.areas_m2(GRID).tolist() == [200.0]
    (placed,) = found.on_ground(GRID)
    assert placed.bounds == (596_005.0, 5_751_970.0, 596_015.0, 5_751_990.0)
    assert placed.wkb == shapely.normalize(placed).wkb


def test_the_order_is_north_to_south_then_west_to_east() -> None:
    # The last two begin at the same corner: their bytes decide.
    boxes = [
        shapely.box(5, 0, 6, 1),
        shapely.box(0, 1, 1, 2),
        shapely.box(3, 1, 4, 2),
        shapely.box(3, 1, 4, 3),
    ]
    expected = of(*boxes).ordered()
    assert {g.area for g in expected.geometries[:2]} == {1.0}
    assert [g.bounds[0] for g in expected.geometries] == [5, 0, 3, 3]
    for order in permutations(range(4)):
        found = of(*(boxes[i] for i in order)).ordered()
        assert [g.wkb for g in found.geometries] == [g.wkb for g in expected.geometries]
        assert [boxes[order[int(8 * c)]].area for c in found.confidences] == found.areas_px.tolist()


def test_nothing_is_a_list_of_buildings_too() -> None:
    none = concatenate([])
    assert (len(none), len(none.ordered()), none.areas_px.size, len(none.on_ground(GRID))) == (0, 0, 0, 0)
    assert len(concatenate([none, of(shapely.box(0, 0, 1, 1)), none])) == 1


@pytest.mark.parametrize("outlines", ["raw", "simplified", "regular"])
def test_a_map_without_buildings_or_data_has_none(outlines: Outlines) -> None:
    for level in (0, 1):
        assert len(run(np.full((4, 20, 20), level, dtype=np.uint8), 8, drawer("watershed", outlines))) == 0


def test_levels_of_another_shape_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match=r"are not .* of a block of \(10, 10\) pixels"):
        draw_block(Blocks((20, 20), 10), 0, np.zeros((4, 10, 9), dtype=np.uint8), drawer())


def test_outlines_have_ever_fewer_corners() -> None:
    levels = planted(5, 40, ()).levels
    raw, simplified, regular_ones = (
        sum(shapely.get_num_coordinates(run(levels, 64, drawer("watershed", outlines)).geometries))
        for outlines in ("raw", "simplified", "regular")
    )
    assert raw > simplified > regular_ones


def test_walls_become_perpendicular_and_stay_in_place() -> None:
    true = affinity.rotate(shapely.box(20, 20, 60, 50), 23)
    corners = shapely.get_coordinates(true.exterior.segmentize(6))[:-1]
    corners[::2, 0] += 0.4
    (found,) = regular_outlines(np.array([shapely.Polygon(corners)], dtype=object))
    walls = np.diff(shapely.get_coordinates(found), axis=0)
    walls /= np.linalg.norm(walls, axis=1, keepdims=True)
    assert len(walls) == 4
    assert np.abs((walls[:-1] * walls[1:]).sum(axis=1)).max() < 0.01
    assert found.intersection(true).area / found.union(true).area > 0.95


def test_an_outline_that_the_package_breaks_is_kept_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(frame: geopandas.GeoDataFrame, **_: Any) -> geopandas.GeoDataFrame:
        found = []
        for source, outline in zip(frame["source"], frame.geometry, strict=True):
            match int(outline.bounds[2]):
                case 20:
                    raise ZeroDivisionError
                case 21:
                    lost: list[shapely.Polygon] = []
                    outlines = lost
                case 22:
                    outlines = [outline, outline]
                case 23:
                    outlines = [shapely.box(0, 0, 10, 10)]
                case 24:
                    outlines = [shapely.Polygon([(0, 0), (24, 20), (24, 0), (0, 20)])]
                case _:
                    outlines = [shapely.box(0, 0, 25, 19)]
            found += [(source, polygon) for polygon in outlines]
        sources, polygons = zip(*found, strict=True) if found else ((), ())
        return geopandas.GeoDataFrame({"source": list(sources)}, geometry=list(polygons))

    monkeypatch.setattr(regular, "regularize_geodataframe", broken)
    wide = np.array([shapely.box(40 * k, 7, 40 * k + 20 + k, 27) for k in range(6)], dtype=object)
    found = regular_outlines(wide)
    assert [g.equals(w) for g, w in zip(found, wide, strict=True)] == [True] * 5 + [False]
    assert found[5].bounds == (200.0, 7.0, 225.0, 26.0)


def test_slivers_at_no_data_are_left_out_by_the_rule_of_the_metric() -> None:
    levels = np.full((4, 40, 40), 1, dtype=np.uint8)
    for y in range(4, 26):  # a thin stair of building along the slanted edge of the data: 44 pixels
        levels[:, y, : y + 1] = 0
        levels[:, y, y + 1 : y + 3] = 255
    levels[0, 30:38, 30:38] = 255
    levels[1, 30:38, 30:38] = 255
    rules = drawer("plain", "simplified", min_area_px=44, simplify_px=1.0)
    kept = rules.draw(levels)
    assert kept.areas_px.tolist() == [64.0]
    drawn = BUILDINGS.draw(rules._prediction(levels), rules.settings, 0.5)
    assert len(drawn) == 2, "by its pixels the stair is large enough"
    matches = match_polygons([], drawn.geometries, truth_tiles=[], proposal_tiles=[0, 0], min_area=44)
    assert matches.counts.fp == len(kept)
