"""Layout of the strips and their division into tiles.

Facts taken over from the real release (its 3,401 tile positions): strips run east-west, alternate between
imaged-from-south and imaged-from-north, step by about 0.6 of their height, are repeated over the same ground,
and are cut into two rows of tiles numbered odd and even, n + 2 being the next tile to the east. Tile west
edges span the ground that the official split divides into five groups.

Ours: a sensor without optical images flies over the outskirts, north of all ground that a paired sensor sees,
so that the target of an adaptation shares neither ground nor building share with the labelled source.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, sqrt

import numpy as np

from components.lib.datasets.base import Sensor
from components.lib.datasets.rehearsal import REHEARSAL
from components.simulation.frame import GSD_M, Double
from components.simulation.parameters import WorldParameters
from components.simulation.radiometry import radiometry_of

WEST_M, EAST_M = REHEARSAL.split.west_m, REHEARSAL.split.east_m
GROUP_3_M = WEST_M + 0.6 * (EAST_M - WEST_M)
GROUP_4_M = WEST_M + 0.8 * (EAST_M - WEST_M)
CENTRE_Y_M = 5750000.0
"""Northing of the middle of a paired sensor's flights."""
OUTSKIRTS_CENTRE_Y_M = 5758000.0
"""Northing of the middle of the other sensors' flights."""
HALF_RANGE_Y_M = 3250.0
COLUMNS = 0.65
"""Columns of tiles per square root of the number of tiles, where they do not fill the whole range."""
TEST_COLUMNS, SELECTION_COLUMNS = 0.3, 0.15
"""Shares of the columns for the easternmost group and for the one before it. Test ground is worth more spread
out than seen often: intervals count ground blocks (docs/methods/metrics.md)."""
STEP = 0.6
"""Distance of neighbouring strips as a share of the strip's height."""
SWATH = 0.775
"""Half of the imaged swath as a share of the tile side: what lies beyond is no-data."""
SLANT = 0.0114
"""Slope of the strip's edges for 450 m tiles (the real strips are turned by 0.65 degrees)."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One tile of a strip: its number, its row (0 odd, 1 even) and its upper-left corner in metres."""

    number: int
    row: int
    x_left: float
    y_top: float


@dataclass(frozen=True, slots=True)
class Strip:
    """One pass over the city.

    Attributes:
        index: Position in the acquisition.
        name: ``<start>_<stop>``.
        orientation: 0 imaged from north, 1 from south.
        spots: The tiles, in order of their numbers.
        y_mid: Northing of the swath's middle at ``x_mid``, metres.
        half_swath: Half the swath, metres.
        slope: Northward drift of the swath per metre eastwards.
        error: Offset of the radar image from its true place, metres east and north.
        wobble: Amplitude (m), wave length (m) and phase of what motion compensation leaves, northwards.
    """

    index: int
    name: str
    orientation: int
    spots: tuple[Spot, ...]
    y_mid: float
    half_swath: float
    slope: float
    error: tuple[float, float]
    wobble: tuple[float, float, float]

    def edges(self, x: Double) -> tuple[Double, Double]:
        """Return south and north edge of the swath at eastings ``x``, metres."""
        middle = self.y_mid + self.slope * (x - 0.5 * (WEST_M + EAST_M))
        return middle - self.half_swath, middle + self.half_swath

    def offset(self, x: float) -> tuple[float, float]:
        """Return the error of the image's position at easting ``x``: metres east and north."""
        amplitude, length, phase = self.wobble
        return self.error[0], self.error[1] + amplitude * float(np.sin(2 * np.pi * x / length + phase))


def entropy(world: WorldParameters, acquisition: str) -> list[int]:
    """Return the seed material of one acquisition."""
    return [world.seed, int.from_bytes(hashlib.sha256(acquisition.encode()).digest()[:8], "big")]


def tile_count(sensor: Sensor, world: WorldParameters) -> int:
    """Return the tiles of an acquisition: all for an airborne (paired) sensor, else about half."""
    return world.tiles if sensor.paired_optical else max(12, ceil(world.tiles / 2))


def tile_size(sensor: Sensor, world: WorldParameters) -> int:
    """Return the side of the sensor's tiles in its own pixels."""
    return round(world.tile_px * GSD_M / sensor.gsd_m)


def plan_flight(sensor: Sensor, world: WorldParameters, acquisition: str) -> tuple[Strip, ...]:
    """Lay out all strips and tiles of an acquisition: exactly :func:`tile_count` tiles.

    At least one column of tiles lies on clean test ground (west edge beyond the right edge of the easternmost
    tile of groups 0 to 3) and one in group 3, whatever the size; the default world has 15 ground blocks of
    clean test ground and more for each sensor.
    """
    rng = np.random.default_rng([*entropy(world, acquisition), 1])
    tiles = tile_count(sensor, world)
    side = tile_size(sensor, world) * sensor.gsd_m
    targets, contiguous = _columns(tiles, side)
    strips = ceil(tiles / (2 * len(targets)))
    surplus = 2 * len(targets) * strips - tiles
    # Only even tiles are left out: every strip keeps its whole odd row, so no zone ever empties.
    left_out = set(rng.permutation(len(targets) * strips)[:surplus].tolist())
    times = _times(strips, acquisition, rng)
    step_y = STEP * 2 * side
    sigma = radiometry_of(sensor.name).navigation_m
    positions = min(ceil(strips / 2), int(2 * HALF_RANGE_Y_M / step_y) + 1)
    centre_y = CENTRE_Y_M if sensor.paired_optical else OUTSKIRTS_CENTRE_Y_M
    result = []
    for index in range(strips):
        place = (index // 2) % positions - (positions - 1) / 2
        y_top = centre_y + place * step_y + side + rng.uniform(-0.12, 0.12) * side
        phase = rng.uniform(-0.5, 0.5) * side
        base = int(rng.integers(0, 5000)) * 2 + 1
        grid = _snap(targets, side, phase, contiguous=contiguous)
        spots = []
        for column, k in enumerate(grid):
            x_left = WEST_M + phase + k * (world.tile_px * 0.5)
            spots.append(Spot(base + 2 * k, 0, x_left, y_top))
            if index * len(grid) + column not in left_out:
                spots.append(Spot(base + 2 * k + 1, 1, x_left, y_top - side))
        result.append(
            Strip(
                index=index,
                name=times[index],
                orientation=(index + 1) % 2,
                spots=tuple(sorted(spots, key=lambda spot: spot.number)),
                y_mid=y_top - side + rng.uniform(-0.05, 0.05) * side,
                half_swath=(SWATH + rng.uniform(-0.05, 0.05)) * side,
                slope=float(rng.choice([-1.0, 1.0])) * rng.uniform(0.6, 1.0) * SLANT * side / 450.0,
                error=(float(rng.normal(0, sigma)), float(rng.normal(0, sigma))),
                wobble=(rng.uniform(0.3, 0.8), rng.uniform(400, 1500), rng.uniform(0, 2 * np.pi)),
            )
        )
    return tuple(result)


def _columns(tiles: int, side: float) -> tuple[list[float], bool]:
    """Return the target west edges of the columns, and whether they are contiguous.

    Few tiles are spread over the full range with gaps, zone by zone: west, selection, test.
    """
    width = EAST_M - WEST_M
    count = max(3, round(COLUMNS * sqrt(tiles)))
    if count * side > 0.75 * width:
        return [WEST_M + k * side for k in range(int(width / side) + 1)], True
    # Targets at least a tile apart, so that no two columns of a strip snap to one.
    most = int((EAST_M - GROUP_4_M) / side)
    test = min(max(1, round(TEST_COLUMNS * count)), most)
    selection = min(max(1, round(SELECTION_COLUMNS * count)), max(1, most - 1))
    west = _spread(WEST_M + 0.5 * side, GROUP_3_M - 1.5 * side, count - test - selection)
    middle = _spread(GROUP_3_M + 0.5 * side, GROUP_4_M - side, selection)
    east = max(EAST_M - 0.5 * side, GROUP_4_M + 1.5 * side)
    return [*west, *middle, *(_spread(GROUP_4_M + 0.5 * side, east, test) if test > 1 else [east])], False


def _spread(first: float, last: float, count: int) -> list[float]:
    """``count`` targets over a zone; a single one in its middle."""
    targets: list[float] = np.linspace(first, last, count).tolist() if count > 1 else [0.5 * (first + last)]
    return targets


def _snap(targets: list[float], side: float, phase: float, *, contiguous: bool) -> list[int]:
    """Return the grid index of every column on a strip's own grid of tiles."""
    if contiguous:
        return list(range(len(targets)))
    return [round((x - WEST_M - phase) / side) for x in targets]


def _times(strips: int, acquisition: str, rng: np.random.Generator) -> list[str]:
    """Return the names of the strips: three flying days, a strip every five minutes or so."""
    offset = int.from_bytes(hashlib.sha256(b"day:" + acquisition.encode()).digest()[:4], "big") % 28
    first = datetime(2019, 8, 4, 7, 0, 0) + timedelta(days=offset)
    names = []
    clock, day = first, 0
    for index in range(strips):
        if (today := index * 3 // strips) != day:
            day = today
            clock = first + timedelta(days=17 + day)
        clock += timedelta(seconds=int(rng.integers(240, 330)))
        stop = clock + timedelta(seconds=int(rng.integers(130, 175)))
        names.append(f"{clock:%Y%m%d%H%M%S}_{stop:%Y%m%d%H%M%S}")
    return names
