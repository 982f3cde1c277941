"""The optical image and the radar image of one tile at one date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.lib.change.pair import Pixels
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.datasets.scaling import scale_sar
from components.simulation.change.patches import Patch, lay
from components.simulation.city import City
from components.simulation.conditions import Conditions
from components.simulation.frame import Bounds, Frame, Mask
from components.simulation.ground import Ground, draw_ground
from components.simulation.imaging import PARKED
from components.simulation.noise import textures_of, uniform_at
from components.simulation.objects import Objects
from components.simulation.optics import photograph
from components.simulation.radar import backscatter, margins
from components.simulation.radiometry import radiometry_of
from components.simulation.speckle import to_units
from components.simulation.surface import draw_surface

SHADOWS_M = 140.0
"""City around a tile whose shadows and leaning walls may reach into its optical image, metres."""
LAYOVER_M = 115.0
"""City around a tile whose layover and shadow may reach into its radar image, metres."""
BESIDE_M = 25.0
"""City drawn beside a raster, metres."""
RIM = 4
"""Pixels drawn around an image, so that filters find neighbours at its border."""


@dataclass(frozen=True, slots=True)
class Date:
    """The city at one date.

    Attributes:
        city: Everything standing.
        patches_in: Returns the ground that differs from the first date within bounds.
    """

    city: City
    patches_in: Callable[[Bounds], Sequence[Patch]]

    def ground(self, frame: Frame) -> Ground:
        """Draw the ground of ``frame``."""
        ground = draw_ground(self.city, textures_of(self.city.seed), frame)
        lay(ground, self.patches_in(frame.bounds), frame)
        return ground

    def objects(self, frame: Frame, around_m: float) -> Objects:
        """Return what stands in ``frame`` or within ``around_m`` metres of it."""
        west, south, east, north = frame.bounds
        return self.city.objects_in((west - around_m, south - around_m, east + around_m, north + around_m))


def optical_image(date: Date, frame: Frame, conditions: Conditions) -> Pixels:
    """Return red, green and blue of ``frame``, uint8 (rows, cols, 3), 1..255."""
    wide = _padded(frame, RIM, RIM)
    seed = date.city.seed
    drawn = photograph(
        date.objects(wide, SHADOWS_M), date.ground(wide), wide, textures_of(seed), seed, conditions=conditions
    )
    inner = drawn[:3, RIM : RIM + frame.rows, RIM : RIM + frame.cols]
    return np.ascontiguousarray(np.moveaxis(inner, 0, -1))


def radar_image(date: Date, frame: Frame, seen: Mask, entropy: Sequence[int], *, from_south: bool) -> Pixels:
    """Return HH, HV, VH, VV of ``frame`` as the training store scales them, uint8 (rows, cols, 4).

    Args:
        date: The city.
        frame: Place of the image.
        seen: Pixels that the swath covers, (rows, cols); the others are 0.
        entropy: Draws speckle and traffic.
        from_south: Whether the radar stands south of the scene.
    """
    sensor = SIMULATED_AIRBORNE
    tops = date.objects(frame, LAYOVER_M).boxes
    tallest = max(15.0, float((tops["eave"] + tops["rise"]).max(initial=0.0)))
    far, near = (int(np.ceil(m / frame.gsd)) for m in margins(sensor.incidence_deg, tallest))
    north, south = (far, near) if from_south else (near, far)
    wide = _padded(frame, RIM, max(north, south))
    objects = date.objects(wide, BESIDE_M)
    rng = np.random.default_rng(entropy)
    taken = uniform_at(objects.slots["x"], objects.slots["y"], int(rng.integers(2**31))) < PARKED
    power = backscatter(
        draw_surface(objects, date.ground(wide), wide),
        objects.boxes,
        objects.slots[taken],
        wide,
        textures=textures_of(date.city.seed),
        incidence_deg=sensor.incidence_deg,
        from_south=from_south,
        rng=rng,
    )
    top = max(north, south)
    units = to_units(
        power[:, top : top + frame.rows, RIM : RIM + frame.cols],
        seen,
        radiometry_of(sensor.name),
        sensor.looks,
        rng,
    )
    return scale_sar(units, seen, sensor.scale_limits)


def _padded(frame: Frame, cols: int, rows: int) -> Frame:
    """Return a frame with ``cols`` pixels more on either side and ``rows`` more above and below."""
    return Frame(
        frame.x_left - cols * frame.gsd,
        frame.y_top + rows * frame.gsd,
        frame.gsd,
        frame.rows + 2 * rows,
        frame.cols + 2 * cols,
    )
