"""One column of one strip: the city drawn once, imaged by radar and camera, cut into its one or two tiles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from components.lib.sensors import Sensor
from components.lib.simulate.city import city_of
from components.lib.simulate.draft import Objects, Records
from components.lib.simulate.flights import Spot, Strip, entropy
from components.lib.simulate.frame import GSD_M, Bounds, Codes, Float, Frame, Mask
from components.lib.simulate.ground import Ground, draw_ground
from components.lib.simulate.hashing import uniform_at
from components.lib.simulate.labels import Footprint, footprints_in
from components.lib.simulate.optics import photograph
from components.lib.simulate.parameters import WorldParameters
from components.lib.simulate.radar import backscatter, margins
from components.lib.simulate.radiometry import radiometry_of
from components.lib.simulate.speckle import to_units
from components.lib.simulate.surface import draw_surface
from components.lib.simulate.textures import textures_of

PARKED = 0.62
"""Share of the places for vehicles that are taken."""


@dataclass(frozen=True, slots=True)
class TileImages:
    """What one tile's files are made from.

    Attributes:
        spot: The tile.
        frame: Its SAR grid.
        sar: Units of the product in the sensor's band order, float32 (bands, rows, cols), 0 = no-data.
        optical: Red, green, blue, near infra-red, uint8 (4, rows, cols), 0 = no-data; None without a camera.
        footprints: Its labels.
    """

    spot: Spot
    frame: Frame
    sar: Float
    optical: Codes | None
    footprints: list[Footprint]


def columns_of(strip: Strip) -> list[tuple[Spot, ...]]:
    """The strip's tiles by column, north first."""
    return [tuple(group) for _, group in groupby(strip.spots, key=lambda spot: (spot.number - 1) // 2)]


def image_column(
    sensor: Sensor, world: WorldParameters, acquisition: str, strip: Strip, spots: tuple[Spot, ...]
) -> list[TileImages]:
    """Image the tiles of ``strip`` that share a column (one or two, north first)."""
    fine = max(round(sensor.gsd_m / GSD_M), 1)
    size = round(world.tile_px * GSD_M / sensor.gsd_m)
    gsd = sensor.gsd_m / fine
    column = Frame(spots[0].x_left, spots[0].y_top, gsd, size * fine * len(spots), size * fine)
    seen = _swath(strip, column)
    lit = np.flatnonzero(seen.any(axis=1))
    first, last = int(lit[0]) // fine * fine, -(-(int(lit[-1]) + 1) // fine) * fine
    city, textures = city_of(world.seed), textures_of(world.seed)
    north, south = _row_margins(city.objects_in(_grown(column.bounds, 0.0, 115.0)), column, sensor, strip)
    frame = column.window(first - north, last - first + north + south)
    objects = city.objects_in(_grown(frame.bounds, 25.0, 25.0))
    ground = draw_ground(city, textures, frame)
    salt = entropy(world, f"{acquisition}/{strip.name}")[1] % 2**31
    rng = np.random.default_rng([*entropy(world, acquisition), 2, strip.index, spots[0].number])
    power = backscatter(
        draw_surface(objects, ground, frame),
        objects.boxes,
        _present(objects.slots, salt),
        frame,
        textures=textures,
        incidence_deg=sensor.incidence_deg,
        from_south=strip.orientation == 1,
        rng=rng,
    )[:, north : north + last - first]
    power = power.reshape(4, (last - first) // fine, fine, size, fine).mean(axis=(2, 4))
    seen_coarse = seen[first:last].reshape((last - first) // fine, fine, size, fine).all(axis=(1, 3))
    units = to_units(power, seen_coarse, radiometry_of(sensor.name), sensor.looks, rng)
    sar = np.zeros((4, size * len(spots), size), dtype=np.float32)
    sar[:, first // fine : last // fine] = units
    optical = (
        _optical(objects, ground, frame, (column, seen), (first, north), world)
        if sensor.paired_optical
        else None
    )
    # Labels do not stop at the swath: the release labels the whole tile.
    labelled = city.objects_in(column.bounds)
    return [
        _tile(
            sensor,
            spot,
            k,
            Frame(spot.x_left, spot.y_top, sensor.gsd_m, size, size),
            (sar, optical, labelled),
        )
        for k, spot in enumerate(spots)
    ]


def _tile(
    sensor: Sensor, spot: Spot, k: int, frame: Frame, layers: tuple[Float, Codes | None, Objects]
) -> TileImages:
    sar, optical, objects = layers
    bands = [("HH", "HV", "VH", "VV").index(name) for name in sensor.bands]
    rows = slice(k * frame.rows, (k + 1) * frame.rows)
    return TileImages(
        spot=spot,
        frame=frame,
        sar=np.ascontiguousarray(sar[bands, rows]),
        optical=None if optical is None else np.ascontiguousarray(optical[:, rows]),
        footprints=footprints_in(objects, frame),
    )


def _optical(
    objects: Objects,
    ground: Ground,
    frame: Frame,
    column: tuple[Frame, Mask],
    at: tuple[int, int],
    world: WorldParameters,
) -> Codes:
    """The camera's view of the swath, cut to the radar's footprint as the release does."""
    photo = photograph(objects, ground, frame, textures_of(world.seed), world.seed)
    whole = np.zeros((4, column[0].rows, column[0].cols), dtype=np.uint8)
    first, north = at
    lit = np.flatnonzero(column[1].any(axis=1))
    rows = slice(first, int(lit[-1]) + 1)
    whole[:, rows] = photo[:, north : north + rows.stop - rows.start]
    return (whole * column[1]).astype(np.uint8)


def _swath(strip: Strip, frame: Frame) -> Mask:
    """Pixels that the strip images."""
    x, y = frame.centres(slice(0, frame.rows), slice(0, frame.cols))
    south, north = strip.edges(x[0].astype(np.float64) + frame.x_left)
    return (y > (south - frame.y_top)[None, :]) & (y < (north - frame.y_top)[None, :])


def _grown(bounds: Bounds, by_x: float, by_y: float) -> Bounds:
    return bounds[0] - by_x, bounds[1] - by_y, bounds[2] + by_x, bounds[3] + by_y


def _row_margins(objects: Objects, frame: Frame, sensor: Sensor, strip: Strip) -> tuple[int, int]:
    """Rows of city to draw north and south of the image, for the tallest thing around."""
    tops = objects.boxes["eave"] + objects.boxes["rise"]
    tallest = max(15.0, float(tops.max()) if len(tops) else 0.0)
    far, near = margins(sensor.incidence_deg, tallest)
    fine = max(round(sensor.gsd_m / GSD_M), 1)
    rows = [int(np.ceil(m / frame.gsd / fine)) * fine for m in (near, far)]
    return (rows[0], rows[1]) if strip.orientation == 0 else (rows[1], rows[0])


def _present(slots: Records, salt: int) -> Records:
    """Vehicles standing there when the strip was flown."""
    present: Records = slots[uniform_at(slots["x"], slots["y"], salt) < PARKED]
    return present
