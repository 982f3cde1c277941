"""One column of one strip: the city drawn once, imaged by radar and camera, cut into its one or two tiles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from components.lib.datasets.base import QUAD_POL, Sensor
from components.simulation.city import City, city_of
from components.simulation.flights import Spot, Strip, entropy, tile_size
from components.simulation.frame import GSD_M, Bounds, Codes, Float, Frame, Mask
from components.simulation.ground import draw_ground
from components.simulation.labels import Footprint, footprints_in, imaged_ground
from components.simulation.noise import textures_of, uniform_at
from components.simulation.objects import Records
from components.simulation.optics import photograph
from components.simulation.parameters import WorldParameters
from components.simulation.radar import backscatter, margins
from components.simulation.radiometry import radiometry_of
from components.simulation.speckle import to_units
from components.simulation.streets import Street, streets_in
from components.simulation.surface import draw_surface

PAD = 8
"""Columns drawn on either side of an image, for its navigation error; the row margins are wider."""
PARKED = 0.62
"""Share of the places for vehicles that are taken."""


@dataclass(frozen=True, slots=True)
class TileImages:
    """Images and footprints that one tile's files are made from.

    Attributes:
        spot: The tile.
        frame: Its SAR grid.
        sar: Units of the product in the sensor's band order, float32 (bands, rows, cols), 0 = no-data.
        optical: Red, green, blue, near infra-red, uint8 (4, rows, cols), 0 = no-data; None without a camera.
        footprints: Its labels.
        streets: Streets whose surface meets it; None where the world has no road labels.
    """

    spot: Spot
    frame: Frame
    sar: Float
    optical: Codes | None
    footprints: list[Footprint]
    streets: list[Street] | None


@dataclass(frozen=True, slots=True)
class _ColumnPlan:
    """Extent and grid of a column's drawing.

    Attributes:
        column: All its tiles on the fine grid.
        fine: Fine pixels per product pixel.
        seen: Fine pixels that the strip images.
        rows: First and last (exclusive) row of ``column`` with a pixel seen.
        frame: Extent of the drawing: those rows and, around them, city that lays over or shadows them.
        north: Rows of ``frame`` above the first row seen.
        shift: Rows down and columns right by which the radar image lies beside its true place.
    """

    column: Frame
    fine: int
    seen: Mask
    rows: tuple[int, int]
    frame: Frame
    north: int
    shift: tuple[int, int]


def columns_of(strip: Strip) -> list[tuple[Spot, ...]]:
    """Group the strip's tiles by column, north first."""
    return [tuple(group) for _, group in groupby(strip.spots, key=lambda spot: (spot.number - 1) // 2)]


def image_column(
    sensor: Sensor, world: WorldParameters, acquisition: str, strip: Strip, spots: tuple[Spot, ...]
) -> list[TileImages]:
    """Image the tiles of ``strip`` that share a column (one or two, north first)."""
    city, textures = city_of(world.seed), textures_of(world.seed)
    size = tile_size(sensor, world)
    plan = _plan(sensor, size, strip, spots, city)
    objects = city.objects_in(_grown(plan.frame.bounds, 25.0, 25.0))
    ground = draw_ground(city, textures, plan.frame)
    salt = entropy(world, f"{acquisition}/{strip.name}")[1] % 2**31
    rng = np.random.default_rng([*entropy(world, acquisition), 2, strip.index, spots[0].number])
    power = backscatter(
        draw_surface(objects, ground, plan.frame),
        objects.boxes,
        _present(objects.slots, salt),
        plan.frame,
        textures=textures,
        incidence_deg=sensor.incidence_deg,
        from_south=strip.orientation == 1,
        rng=rng,
    )
    sar = _sense(power, plan, sensor, rng)
    optical = None
    if sensor.paired_optical:
        # Cut to the radar's footprint, as the release does.
        optical = _crop(photograph(objects, ground, plan.frame, textures, world.seed), plan)
        optical *= plan.seen
    labelled = city.objects_in(plan.column.bounds)
    tiles = []
    for k, spot in enumerate(spots):
        frame = Frame(spot.x_left, spot.y_top, sensor.gsd_m, size, size)
        rows = slice(k * size, (k + 1) * size)
        radar = np.ascontiguousarray(sar[:, rows])
        camera = None if optical is None else np.ascontiguousarray(optical[:, rows])
        footprints = footprints_in(labelled, imaged_ground((radar != 0).any(axis=0), frame))
        streets = streets_in(city, frame.bounds) if world.roads else None
        tiles.append(TileImages(spot, frame, radar, camera, footprints, streets))
    return tiles


def _plan(sensor: Sensor, size: int, strip: Strip, spots: tuple[Spot, ...], city: City) -> _ColumnPlan:
    fine = max(round(sensor.gsd_m / GSD_M), 1)
    side = size * fine
    column = Frame(spots[0].x_left, spots[0].y_top, sensor.gsd_m / fine, side * len(spots), side)
    seen = _swath(strip, column)
    lit = np.flatnonzero(seen.any(axis=1))
    first, last = int(lit[0]) // fine * fine, -(-(int(lit[-1]) + 1) // fine) * fine
    tops = city.objects_in(_grown(column.bounds, 0.0, 115.0)).boxes
    tallest = max(15.0, float((tops["eave"] + tops["rise"]).max(initial=0.0)))
    far, near = (int(np.ceil(m / column.gsd)) for m in margins(sensor.incidence_deg, tallest))
    north, south = (near, far) if strip.orientation == 0 else (far, near)
    rows = column.window(first - north, last - first + north + south)
    frame = Frame(rows.x_left - PAD * rows.gsd, rows.y_top, rows.gsd, rows.rows, rows.cols + 2 * PAD)
    east, up = strip.offset(column.x_left + 0.5 * side * column.gsd)
    shift = (round(-up / column.gsd), round(east / column.gsd))
    return _ColumnPlan(column, fine, seen, (first, last), frame, north, _limited(shift))


def _limited(shift: tuple[int, int]) -> tuple[int, int]:
    """Limit a shift to the margin drawn around the image."""
    down, right = (min(max(s, -PAD), PAD) for s in shift)
    return down, right


def _sense(power: Float, plan: _ColumnPlan, sensor: Sensor, rng: np.random.Generator) -> Float:
    """Convert power on the fine grid with margins to units on the product's grid, in the sensor's bands."""
    first, last = plan.rows
    shape = ((last - first) // plan.fine, plan.fine, plan.column.cols // plan.fine, plan.fine)
    top, left = plan.north - plan.shift[0], PAD - plan.shift[1]
    placed = power[:, top : top + last - first, left : left + plan.column.cols]
    imaged = placed.reshape(4, *shape).mean(axis=(2, 4))
    valid: Mask = np.min(plan.seen[first:last].reshape(shape), axis=(1, 3))
    units = to_units(imaged, valid, radiometry_of(sensor.name), sensor.looks, rng)
    whole = np.zeros((len(sensor.bands), plan.column.rows // plan.fine, shape[2]), dtype=np.float32)
    bands = [QUAD_POL.index(name) for name in sensor.bands]
    whole[:, first // plan.fine : last // plan.fine] = units[bands]
    return whole


def _crop(drawn: Codes, plan: _ColumnPlan) -> Codes:
    """Return the column's pixels of an image drawn with margins."""
    first, last = plan.rows
    whole = np.zeros((len(drawn), plan.column.rows, plan.column.cols), dtype=drawn.dtype)
    whole[:, first:last] = drawn[:, plan.north : plan.north + last - first, PAD : PAD + plan.column.cols]
    return whole


def _swath(strip: Strip, frame: Frame) -> Mask:
    """Return the pixels that the strip images."""
    x, y = frame.centres(slice(0, frame.rows), slice(0, frame.cols))
    south, north = strip.edges(x[0].astype(np.float64) + frame.x_left)
    return (y > (south - frame.y_top)[None, :]) & (y < (north - frame.y_top)[None, :])


def _grown(bounds: Bounds, by_x: float, by_y: float) -> Bounds:
    return bounds[0] - by_x, bounds[1] - by_y, bounds[2] + by_x, bounds[3] + by_y


def _present(slots: Records, salt: int) -> Records:
    """Return the vehicles standing there when the strip was flown."""
    present: Records = slots[uniform_at(slots["x"], slots["y"], salt) < PARKED]
    return present
