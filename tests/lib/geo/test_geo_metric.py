from __future__ import annotations

import numpy as np
import pytest

from components.lib.geo.metric import ground_lengths, in_metres, metres_per_unit, utm_zone


@pytest.mark.parametrize(
    ("crs", "expected"),
    [("EPSG:32631", True), ("EPSG:4326", False), ("EPSG:3857", False), ("EPSG:2263", False)],
)
def test_crs_that_count_true_metres(crs: str, expected: bool) -> None:
    assert in_metres(crs, "it") is expected


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [
        (-115.17, 36.2, 32611),
        (4.5, 51.9, 32631),
        (180.0, 10.0, 32660),
        (-180.0, 10.0, 32601),
        (151, -33, 32756),
    ],
)
def test_the_utm_zone_of_a_place(lon: float, lat: float, zone: int) -> None:
    assert utm_zone(np.array([[lon, lat]])) == f"EPSG:{zone}"


def test_the_middle_of_places_tells_the_zone() -> None:
    assert utm_zone(np.array([[5.9, 50.0], [6.2, 50.0], [6.1, 50.1]])) == "EPSG:32632"


def test_a_degree_has_as_many_metres_as_the_ellipsoid_says() -> None:
    equator = metres_per_unit(np.array([10.0, 0.0]), "EPSG:4326", "it")
    assert equator == pytest.approx([111_319.49, 110_574.3], rel=1e-5)
    north = metres_per_unit(np.array([10.0, 60.0]), "EPSG:4326", "it")
    assert north == pytest.approx([55_800.0, 111_412.3], rel=1e-4)


def test_feet_are_shorter_than_metres() -> None:
    feet = metres_per_unit(np.array([980_000.0, 200_000.0]), "EPSG:2263", "it")
    assert feet == pytest.approx([0.3048, 0.3048], rel=1e-3)


def test_lengths_across_a_zone_are_those_of_the_ground() -> None:
    start, end = np.array([[500_000.0, 5_000_000.0]]), np.array([[500_000.0, 5_001_000.0]])
    assert ground_lengths(start, end, "EPSG:32631", "it") == pytest.approx([1000.4], abs=0.01)
