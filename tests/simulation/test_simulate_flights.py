from __future__ import annotations

import numpy as np
import pytest

from components.lib.datasets.base import Sensor
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.datasets.sensors import get_sensor
from components.simulation.flights import EAST_M, WEST_M, Strip, plan_flight, tile_count, tile_size
from components.simulation.parameters import WorldParameters

AIRBORNE = get_sensor("simulated-airborne")
SPACEBORNE = get_sensor("simulated-spaceborne")
SIZES = [(12, 64), (12, 900), (13, 225), (24, 256), (37, 450), (100, 700), (240, 450), (3401, 900)]


def corners(strips: tuple[Strip, ...]) -> np.ndarray:
    return np.array([(spot.x_left, spot.y_top) for strip in strips for spot in strip.spots])


@pytest.mark.parametrize(("tiles", "px"), SIZES)
@pytest.mark.parametrize("sensor", [AIRBORNE, SPACEBORNE], ids=lambda s: s.name)
def test_every_split_has_ground_of_its_own(sensor: Sensor, tiles: int, px: int) -> None:
    world = WorldParameters(tiles=tiles, tile_px=px)
    strips = plan_flight(sensor, world, "x")
    x = corners(strips)[:, 0]
    assert len(x) == tile_count(sensor, world)
    group = np.clip(np.floor((x - WEST_M) / (EAST_M - WEST_M) * 5), 0, 4)
    side = tile_size(sensor, world) * sensor.gsd_m
    clean = (group == 4) & (x >= x[group < 4].max() + side)
    assert clean.sum() >= 2
    assert (group == 3).sum() >= 2
    assert (group < 3).sum() >= 2
    # Both views of every kind of ground.
    flags = np.array([strip.orientation for strip in strips for _ in strip.spots])
    assert set(flags[clean]) == set(flags[group == 3]) == set(flags[group < 3]) == {0, 1}


def test_airborne_makes_exactly_the_tiles_asked_for_and_spaceborne_half() -> None:
    world = WorldParameters(tiles=240)
    assert tile_count(AIRBORNE, world) == 240
    assert tile_count(SPACEBORNE, world) == 120
    assert tile_count(SPACEBORNE, WorldParameters(tiles=12)) == 12


def test_numbers_are_odd_and_even_rows_two_apart_along_the_strip() -> None:
    world = WorldParameters(tiles=400, tile_px=450)
    for strip in plan_flight(AIRBORNE, world, "x"):
        assert REHEARSAL.matches(REHEARSAL.file_name("SAR-Intensity", strip.name, strip.spots[0].number))
        numbers = [spot.number for spot in strip.spots]
        assert numbers == sorted(set(numbers))
        first = next(spot for spot in strip.spots if spot.row == 0)
        for spot in strip.spots:
            assert spot.row == (spot.number - 1) % 2
            steps = (spot.number - spot.row - first.number) // 2
            assert spot.x_left == pytest.approx(first.x_left + steps * 225.0)
            assert spot.y_top == pytest.approx(first.y_top - spot.row * 450 * AIRBORNE.gsd_m)


def test_strips_alternate_and_have_names_of_their_own() -> None:
    strips = plan_flight(AIRBORNE, WorldParameters(tiles=240), "x")
    assert [strip.orientation for strip in strips] == [1, 0] * 6
    assert len({strip.name for strip in strips}) == len(strips)
    assert all(REHEARSAL.matches(REHEARSAL.file_name("PAN", strip.name, 1)) for strip in strips)


def test_the_same_ground_is_seen_many_times_at_full_size() -> None:
    places = corners(plan_flight(AIRBORNE, WorldParameters(tiles=3401, tile_px=900), "x"))
    centres = places[::50] + np.array([225.0, -225.0])
    inside = (np.abs(centres[:, None, 0] - places[None, :, 0] - 225) < 225) & (
        np.abs(places[None, :, 1] - 225 - centres[:, None, 1]) < 225
    )
    assert 8 < np.median(inside.sum(axis=1)) < 40


def test_every_tile_is_partly_black_and_mostly_seen() -> None:
    world = WorldParameters(tiles=240, tile_px=450)
    for strip in plan_flight(AIRBORNE, world, "x"):
        for spot in strip.spots:
            side = 450 * AIRBORNE.gsd_m
            south, north = strip.edges(np.linspace(spot.x_left, spot.x_left + side, 9))
            seen = np.minimum(north, spot.y_top) - np.maximum(south, spot.y_top - side)
            assert 0.5 < seen.mean() / side < 0.95


def test_images_lie_a_little_beside_their_true_place() -> None:
    strips = plan_flight(AIRBORNE, WorldParameters(tiles=3401), "x")
    offsets = np.array([strip.offset(x) for strip in strips for x in (592000.0, 594000.0, 596000.0)])
    assert np.abs(offsets).max() < 5
    assert 0.6 < offsets[:, 0].std() < 1.3
    assert not np.allclose(offsets[::3, 1], offsets[1::3, 1])


def test_flights_depend_on_the_acquisition_and_repeat() -> None:
    world = WorldParameters(tiles=24)
    assert plan_flight(AIRBORNE, world, "a") == plan_flight(AIRBORNE, world, "a")
    assert not np.allclose(
        corners(plan_flight(AIRBORNE, world, "a")), corners(plan_flight(AIRBORNE, world, "b"))
    )
