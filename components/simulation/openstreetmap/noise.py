"""Errors of OpenStreetMap: how much of what, in three degrees, and the shift that objects of a place share.

The road figures of ``vegas`` were measured on SpaceNet 3 tiles of Las Vegas; all others are set by judgement
and literature (adaptation reference, section 2.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components.simulation.frame import Double
from components.simulation.streets import StreetClass

TILE_M = 400.0
"""Side of the squares that share a shift, metres: the side of the tiles it was measured on."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Errors of an extract; lengths in metres, shares from 0 to 1.

    Attributes:
        deleted: Share of the streets of each class that are missing, whole ways at a time.
        city_shift_m: Length of the shift that all objects share; its direction is drawn.
        tile_sd_m: Standard deviation, along each axis, of the shift that a square of ``TILE_M`` adds.
        way_sd_m: Standard deviation of a way's constant lateral offset.
        wobble_sd_m: Standard deviation of the lateral wobble along a way.
        extra: Length of roads that are not there, as a share of all: half stale, half drawn twice.
        buildings_missing: Share of the buildings that are missing.
        buildings_stale: Buildings that are not there, as a share of those that are.
        building_sd_m: Standard deviation, along each axis, of a building's own shift.
    """

    deleted: Mapping[StreetClass, float]
    city_shift_m: float
    tile_sd_m: float
    way_sd_m: float
    wobble_sd_m: float
    extra: float
    buildings_missing: float
    buildings_stale: float
    building_sd_m: float


def _deleted(
    primary: float, secondary: float, residential: float, minor: float
) -> Mapping[StreetClass, float]:
    return {
        StreetClass.PRIMARY: primary,
        StreetClass.SECONDARY: secondary,
        StreetClass.RESIDENTIAL: residential,
        StreetClass.SERVICE: minor,
    }


PRESETS: Mapping[str, Noise] = {
    "none": Noise(_deleted(0, 0, 0, 0), 0, 0, 0, 0, 0, 0, 0, 0),
    "light": Noise(_deleted(0, 0.03, 0.03, 0.20), 0.8, 0.3, 0.6, 0.4, 0.005, 0.05, 0.01, 0.5),
    "vegas": Noise(_deleted(0, 0.14, 0.05, 0.85), 1.6, 0.6, 1.1, 0.6, 0.02, 0.20, 0.03, 1.0),
    "poor": Noise(_deleted(0.10, 0.15, 0.25, 0.90), 4.0, 1.5, 2.0, 1.0, 0.08, 0.57, 0.05, 2.0),
}
"""Degrees of error by name; ``none`` is the city itself."""


def shifts(places: Double, noise: Noise, seed: int) -> Double:
    """Return the shift of objects at ``places`` that they share with their city and square.

    Args:
        places: Eastings and northings, (n, 2), metres.
        noise: Errors of the extract.
        seed: Draws the extract.

    Returns:
        Metres east and north, (n, 2).
    """
    turn = np.random.default_rng([seed, 91]).uniform(0, 2 * np.pi)
    city = noise.city_shift_m * np.array([np.cos(turn), np.sin(turn)])
    tiles, number = np.unique(np.floor(places / TILE_M).astype(np.int64), axis=0, return_inverse=True)
    drawn = [np.random.default_rng([seed, 92, *tile]).normal(size=2) for tile in tiles.tolist()]
    found: Double = city + noise.tile_sd_m * np.array(drawn).reshape(-1, 2)[number.ravel()]
    return found
