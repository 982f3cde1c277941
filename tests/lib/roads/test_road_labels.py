from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.datasets.base import Product, RoadLabels
from components.lib.roads.labels import RoadLine, rasterise_roads, read_road_lines, within_tile

CRS = "EPSG:32631"
GRID = Affine(0.5, 0, 592_000.0, 0, -0.5, 5_750_000.0)
SIZE = (40, 60)
DECLARED = RoadLabels(
    product=Product(name="Roads", folder="geojson_roads", extension="geojson"),
    width_key="width_m",
    lanes_key="lanes",
    lane_m=3.0,
    class_key="class",
    uncertain=("track",),
)


def collection(*features: tuple[Any, dict[str, Any]], crs: str | None = CRS) -> bytes:
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(shape))}
            for shape, properties in features
        ],
    }
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    return json.dumps(document).encode()


def line(*pixels: tuple[float, float]) -> shapely.LineString:
    """A line through pixel coordinates, on the map."""
    return shapely.LineString([GRID @ pixel for pixel in pixels])


def drawn(*roads: RoadLine, half_width_m: float = 2.0, own_widths: bool = True) -> np.ndarray[Any, Any]:
    return rasterise_roads(roads, GRID, SIZE, half_width_m=half_width_m, own_widths=own_widths)


def test_width_lanes_and_class_are_those_that_the_data_set_declares() -> None:
    content = collection(
        (line((0, 0), (9, 9)), {"width_m": 7.5, "lanes": 4}),
        (line((0, 0), (9, 0)), {"width_m": "wide", "lanes": "2"}),
        (line((0, 0), (0, 9)), {"class": "track", "width_m": 1e9}),
    )
    roads = read_road_lines(content, "a.geojson", CRS, DECLARED).lines
    assert [road.width_m for road in roads[:2]] == [7.5, 6.0]
    assert math.isnan(roads[2].width_m)
    assert [road.uncertain for road in roads] == [False, False, True]
    bare = RoadLabels(product=DECLARED.product)
    assert all(
        math.isnan(road.width_m) and not road.uncertain
        for road in read_road_lines(content, "a.geojson", CRS, bare).lines
    )


def test_lines_are_moved_into_the_tiles_crs_and_parts_taken_apart() -> None:
    place = shapely.LineString([(4.3, 51.9), (4.301, 51.9)])
    both = shapely.MultiLineString([place, [(4.3, 51.9), (4.3, 51.901)]])
    found = read_road_lines(collection((both, {}), crs=None), "a.geojson", CRS, DECLARED)
    assert len(found.lines) == 2
    x, y = found.lines[0].line.coords[0]
    assert 580_000 < x < 600_000
    assert 5_740_000 < y < 5_760_000


def test_what_draws_no_road_is_left_out_and_what_is_no_line_counted() -> None:
    content = collection(
        (shapely.Point(592_000, 5_750_000), {}),
        (line((0, 0), (9, 9)), {"highway": "stopline"}),
        (shapely.box(592_000, 5_749_000, 592_010, 5_749_010), {}),
        (line((3, 3), (3, 3)), {}),
    )
    found = read_road_lines(content, "a.geojson", CRS, DECLARED)
    assert (found.lines, found.dropped) == ((), 2)
    assert read_road_lines(b"", "a.geojson", CRS, DECLARED).lines == ()
    with pytest.raises(BadDataError, match=r"a\.geojson"):
        read_road_lines(b"{}", "a.geojson", CRS, DECLARED)


def test_a_level_road_covers_the_pixel_centres_within_half_its_width() -> None:
    masks = drawn(RoadLine(line((-20, 20), (80, 20)), width_m=6.0))
    rows = np.flatnonzero(masks[:, 30, 0])
    assert rows.tolist() == list(range(14, 26)), "3 m are 6 pixels on either side of row border 20"
    assert masks[..., 0].sum() == 12 * SIZE[1]
    assert (masks[:, :, 1].sum(axis=0) == 1).all(), "the centre line is one pixel wide"
    assert not masks[..., 2].any()


@pytest.mark.parametrize("own_widths", [True, False])
def test_stated_widths_are_used_only_where_wanted(own_widths: bool) -> None:
    stated, silent = RoadLine(line((-5, 10), (70, 10)), width_m=8.0), RoadLine(line((-5, 30), (70, 30)))
    masks = drawn(stated, silent, half_width_m=1.0, own_widths=own_widths)
    assert masks[:20, 30, 0].sum() == (16 if own_widths else 4)
    assert masks[20:, 30, 0].sum() == 4


def test_doubtful_roads_are_ignored_ground_but_never_where_a_road_is_certain() -> None:
    certain = RoadLine(line((-5, 20), (70, 20)), width_m=4.0)
    doubtful = RoadLine(line((30, -5), (30, 50)), width_m=4.0, uncertain=True)
    masks = drawn(certain, doubtful)
    assert masks[20, 30].tolist() == [1, 1, 0]
    assert masks[5, 30].tolist() == [0, 0, 1]
    assert not (masks[..., 0] & masks[..., 2]).any()


def test_no_roads_give_empty_masks() -> None:
    masks = drawn()
    assert masks.shape == (*SIZE, 3)
    assert not masks.any()


def test_lines_are_cut_at_the_tile_s_edges_and_not_where_they_cross() -> None:
    loop = line((-10, 10), (30, 10), (30, 30), (20, 30), (20, -5))
    inside = line((1, 1), (2.5, 3))
    out = line((-5, -5), (-1, -9))
    twice = line((50, 35), (65, 35), (65, 38), (50, 38))
    roads = [RoadLine(loop), RoadLine(inside, uncertain=True), RoadLine(out), RoadLine(twice)]
    found = within_tile(roads, GRID, SIZE)
    assert [uncertain for _, uncertain in found] == [False, True, False, False]
    expected = [
        [(0, 10), (30, 10), (30, 30), (20, 30), (20, 0)],
        [(1, 1), (2.5, 3)],
        [(50, 35), (60, 35)],
        [(60, 38), (50, 38)],
    ]
    for (part, _), points in zip(found, expected, strict=True):
        assert shapely.get_coordinates(part) == pytest.approx(np.array(points), abs=1e-6)
