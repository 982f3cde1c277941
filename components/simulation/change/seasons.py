"""Light, season, haze and view of the second optical image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components.simulation.conditions import BandGains, Conditions
from components.simulation.objects import Material

OFF_NADIR_DEG = (4.0, 22.0)
"""Angle of the second view from the vertical, least and most; it leans in any direction."""
HAZE = 0.25
"""Most haze."""


@dataclass(frozen=True, slots=True)
class Season:
    """Light and vegetation of one season at 52 degrees north, late in the morning.

    Attributes:
        elevation_deg: Height of the sun above the horizon, least and most.
        azimuth_deg: Direction of the sun clockwise from north, least and most.
        lawn: Factors of the colour of grass, gardens and green roofs against late August.
        leaves: Factors of the colour of trees.
    """

    elevation_deg: tuple[float, float]
    azimuth_deg: tuple[float, float]
    lawn: BandGains
    leaves: BandGains

    def gains(self, soil: float) -> Mapping[Material, BandGains]:
        """Return the factors by material; ``soil`` darkens wet or brightens dry bare ground."""
        bare = (soil, soil, soil, soil)
        vegetation = dict.fromkeys((Material.GRASS, Material.GARDEN, Material.GREEN_ROOF), self.lawn)
        return {**vegetation, Material.TREE: self.leaves, Material.SOIL: bare, Material.GRAVEL: bare}


SEASONS = {
    "spring": Season((42, 52), (148, 166), (0.90, 1.10, 0.85, 1.15), (1.30, 1.35, 1.15, 0.95)),
    "summer": Season((54, 60), (138, 160), (1.20, 1.10, 1.05, 0.90), (0.95, 1.00, 0.95, 1.10)),
    "autumn": Season((26, 34), (158, 172), (1.10, 0.95, 0.95, 0.80), (1.90, 1.25, 0.95, 0.75)),
    "winter": Season((20, 27), (152, 166), (1.05, 0.88, 0.95, 0.60), (1.60, 1.10, 1.25, 0.45)),
}
"""Seasons; each is as likely as another."""


def draw_conditions(rng: np.random.Generator) -> Conditions:
    """Draw light, season, haze, view and traffic of a pass."""
    season = SEASONS[str(rng.choice(list(SEASONS)))]
    return Conditions(
        sun_azimuth=np.radians(rng.uniform(*season.azimuth_deg)),
        sun_elevation=np.radians(rng.uniform(*season.elevation_deg)),
        lean_azimuth=rng.uniform(0, 2 * np.pi),
        off_nadir=np.radians(rng.uniform(*OFF_NADIR_DEG)),
        gains=season.gains(float(rng.uniform(0.75, 1.15))),
        haze=float(rng.uniform(0, HAZE)),
        traffic=int(rng.integers(100, 2**20)),
        texture_shift=int(rng.integers(64, 512)),
    )
