"""Masks by spans equal those by distance, and by GDAL."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from components.lib.geo import spans
from components.lib.geo.rasterise import rasterise_instances
from components.lib.geo.spans import draw_lines, draw_polygons, segments_of

HEIGHT, WIDTH = 40, 50


@pytest.mark.parametrize("seed", range(12))
def test_a_pixel_is_road_where_its_centre_is_near_enough(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(-15, 60, (4, 2))
    points[1, seed % 2] = points[0, seed % 2]  # along an axis
    points[3] = points[2]  # without length
    line = shapely.LineString(points)
    ends, _ = segments_of(np.array([line], dtype=object))
    radius = random.uniform(0.4, 9)
    drawn = draw_lines(ends, np.full(len(ends), radius), HEIGHT, WIDTH)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = shapely.distance(line, shapely.points(x, y))
    np.testing.assert_array_equal(drawn, distance <= radius)


def test_polygons_with_holes_are_drawn_as_gdal_does() -> None:
    random = np.random.default_rng(3)
    polygons: list[Any] = [
        shapely.Point(place)
        .buffer(random.uniform(3, 15), quad_segs=3)
        .difference(shapely.Point(place).buffer(2))
        for place in random.uniform(0, 50, (8, 2))
    ]
    ends, owner = segments_of(np.array(polygons, dtype=object))
    expected = rasterise_instances(polygons, HEIGHT, WIDTH) > 0
    np.testing.assert_array_equal(draw_polygons(ends, owner, HEIGHT, WIDTH), expected)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = np.random.default_rng(5).uniform(-5, 50, (30, 4))
    whole = draw_lines(ends, np.full(30, 2.0), HEIGHT, WIDTH)
    monkeypatch.setattr(spans, "_HELD", 7)
    np.testing.assert_array_equal(draw_lines(ends, np.full(30, 2.0), HEIGHT, WIDTH), whole)


def test_nothing_is_drawn_of_nothing() -> None:
    ends, owner = segments_of(np.array([], dtype=object))
    assert not draw_lines(ends, np.zeros(0), HEIGHT, WIDTH).any()
    assert not draw_polygons(ends, owner, HEIGHT, WIDTH).any()
