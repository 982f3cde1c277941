"""Ground of the simulated flights: enough to judge on, and none that target and source share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely

from components.contract.documents import read_yaml
from components.contract.parameters import resolve
from components.lib.datasets.base import Sensor
from components.lib.datasets.sensors import get_sensor
from components.lib.scoring.blocks import block_names
from components.prepare.parameters import SplitParameters
from components.prepare.split import assign, overlap_shares
from components.simulation.city import City
from components.simulation.flights import Strip, plan_flight, tile_size
from components.simulation.parameters import WorldParameters

ACQUISITIONS = {"rehearsal-airborne": "simulated-airborne", "rehearsal-spaceborne": "simulated-spaceborne"}
SOURCE, TARGET = ACQUISITIONS.values()
LEAST_BLOCKS = 18
"""A few more than the 15 that a verdict needs."""
SAMPLE_M = 5.0


def sections(repository: Path, profile: str) -> dict[str, Any]:
    path = repository / "params.yaml"
    return resolve({**read_yaml(path), "profile": profile}, str(path))


def flights(world: WorldParameters) -> list[tuple[Sensor, tuple[Strip, ...]]]:
    sensors = [(get_sensor(sensor), acquisition) for acquisition, sensor in ACQUISITIONS.items()]
    return [(sensor, plan_flight(sensor, world, acquisition)) for sensor, acquisition in sensors]


def tiles_of(world: WorldParameters, split: SplitParameters) -> pd.DataFrame:
    """All tiles of both sensors with their strips and their place in the split."""
    rows = [
        {
            "sensor": sensor.name,
            "strip": strip,
            "x_left_m": spot.x_left,
            "y_top_m": spot.y_top,
            "gsd_m": sensor.gsd_m,
            "height": tile_size(sensor, world),
            "width": tile_size(sensor, world),
        }
        for sensor, strips in flights(world)
        for strip in strips
        for spot in strip.spots
    ]
    tiles = pd.DataFrame(rows)
    return tiles.join(assign(tiles, split))


def bounds_of(tiles: pd.DataFrame) -> np.ndarray[Any, Any]:
    """West, south, east and north of each tile, (N, 4) metres."""
    side = (tiles["width"] * tiles["gsd_m"]).to_numpy(np.float64)
    left, top = (tiles[name].to_numpy(np.float64) for name in ("x_left_m", "y_top_m"))
    return np.stack([left, top - side, left + side, top], axis=1)


def imaged_samples(tiles: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Distinct points of a lattice of ``SAMPLE_M`` that the tiles show, (N, 2) metres."""
    found = []
    for strip, (west, south, east, north) in zip(tiles["strip"], bounds_of(tiles), strict=True):
        x = np.arange(np.ceil(west / SAMPLE_M), east / SAMPLE_M) * SAMPLE_M
        y = np.arange(np.ceil(south / SAMPLE_M), north / SAMPLE_M) * SAMPLE_M
        low, high = strip.edges(x)
        rows, columns = np.nonzero((y[:, None] > low) & (y[:, None] < high))
        found.append(np.stack([x[columns], y[rows]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


@pytest.mark.parametrize("profile", ["rehearsal", "evidence"])
def test_each_sensor_has_ground_blocks_to_judge_on(repository: Path, profile: str) -> None:
    chosen = sections(repository, profile)
    world, block_m = WorldParameters(**chosen["world"]), chosen["scoring"]["block_m"]
    tiles = tiles_of(world, SplitParameters(**chosen["prepare"]["split"]))
    for sensor in (SOURCE, TARGET):
        points = imaged_samples(tiles[tiles["clean"] & (tiles["sensor"] == sensor)])
        names, counts = np.unique(block_names(points[:, 0], points[:, 1], block_m), return_counts=True)
        share = counts * (SAMPLE_M / block_m) ** 2
        assert len(names) >= LEAST_BLOCKS
        # Not slivers: as many hold a quarter of their ground with data.
        assert np.count_nonzero(share > 0.25) >= LEAST_BLOCKS - 2
        # A block without much data counts for little; this is how many equal ones they are worth.
        assert share.sum() ** 2 / (share**2).sum() > 15


@pytest.mark.parametrize(("tiles", "px"), [(24, 256), (240, 450), (320, 450), (480, 900), (3401, 900)])
def test_the_target_shares_no_ground_with_the_source(repository: Path, tiles: int, px: int) -> None:
    split = SplitParameters(**sections(repository, "rehearsal")["prepare"]["split"])
    found = tiles_of(WorldParameters(tiles=tiles, tile_px=px), split)
    target = found["sensor"] == TARGET
    assert overlap_shares(found[target], found[~target]).max() == 0


def test_the_target_has_another_share_of_buildings_than_the_source(repository: Path) -> None:
    chosen = sections(repository, "rehearsal")
    world = WorldParameters(**chosen["world"])
    tiles, city = tiles_of(world, SplitParameters(**chosen["prepare"]["split"])), City(world.seed)
    shares = {}
    for sensor, train in tiles[tiles["split"] == "train"].groupby("sensor"):
        built = ground = 0.0
        for west, south, east, north in bounds_of(train).tolist():
            tile = shapely.box(west, south, east, north)
            polygons = city.objects_in(tile.bounds).polygons
            labelled = polygons[shapely.area(polygons) > chosen["prepare"]["min_area_m2"]]
            built += shapely.area(shapely.intersection(labelled, tile)).sum()
            ground += tile.area
        shares[sensor] = built / ground
    assert shares[SOURCE] > 1.5 * shares[TARGET]
    assert shares[TARGET] > 0.03
