"""Buildings of a simulated extract: missing, shifted each for itself, and some that are not there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from components.simulation.frame import Double
from components.simulation.noise import normal_at, uniform_at
from components.simulation.openstreetmap.noise import Noise, shifts

AWAY_M = (15.0, 60.0)
"""Distance of a stale building from the one whose outline it has, metres."""
_TRIES = 12

Polygons = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Building:
    """A building of the extract.

    Attributes:
        outline: Footprint, EPSG:32631, metres.
        stale: Whether it is not there.
    """

    outline: shapely.Polygon
    stale: bool


def noisy_buildings(polygons: Polygons, streets: Polygons, noise: Noise, seed: int) -> list[Building]:
    """Draw the buildings of an extract.

    Args:
        polygons: True footprints, EPSG:32631.
        streets: Surfaces of the streets, on which no stale building stands.
        noise: Errors of the extract.
        seed: Draws the extract; what befalls a building depends on its place and the seed.

    Returns:
        Those that are left, in their order, then the stale ones. The shape of no outline changes.
    """
    centres = shapely.get_coordinates(shapely.centroid(polygons)).reshape(-1, 2)
    x, y = centres[:, 0], centres[:, 1]
    kept = uniform_at(x, y, _salt(seed, 1)) >= noise.buildings_missing
    own = noise.building_sd_m * np.stack([normal_at(x, y, _salt(seed, k)) for k in (2, 3)], axis=1)
    away = own + shifts(centres, noise, seed)
    left = [Building(_moved(polygons[k], away[k]), stale=False) for k in np.flatnonzero(kept).tolist()]
    taken = shapely.STRtree(np.concatenate([polygons, streets]))
    models = np.flatnonzero(uniform_at(x, y, _salt(seed, 4)) < noise.buildings_stale).tolist()
    stale = [_free_place(polygons[k], taken, np.random.default_rng([seed, 95, k])) for k in models]
    return left + [Building(outline, stale=True) for outline in stale if outline is not None]


def _free_place(
    outline: shapely.Polygon, taken: shapely.STRtree, rng: np.random.Generator
) -> shapely.Polygon | None:
    """Move an outline to where nothing stands, None if no try found such a place."""
    for _ in range(_TRIES):
        turn, length = rng.uniform(0, 2 * np.pi), rng.uniform(*AWAY_M)
        moved = _moved(outline, length * np.array([np.cos(turn), np.sin(turn)]))
        if not len(taken.query(moved, predicate="intersects")):
            return moved
    return None


def _moved(outline: shapely.Polygon, away: Double) -> shapely.Polygon:
    moved: shapely.Polygon = shapely.transform(outline, lambda xy: xy + away)
    return moved


def _salt(seed: int, use: int) -> int:
    return 1000 + 16 * seed + use
