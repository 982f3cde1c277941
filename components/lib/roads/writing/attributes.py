"""Attributes of the edges of a road graph in files, rounded."""

from __future__ import annotations

from typing import Final

import numpy as np

from components.lib.geo.crs import is_geographic
from components.lib.roads.graph.model import Floats
from components.lib.roads.tracing.trace import TracedRoads

NUMBERS: Final = ("length_m", "width_m", "speed_kmh", "travel_s")
"""Length in metres, width of the mask in metres, inferred speed in km/h, time to pass in seconds."""

_DECIMALS: Final = 2
_DEGREE_DECIMALS, _METRE_DECIMALS = 8, 3
"""Decimals of coordinates: about a millimetre in degrees as in metres."""


def numbers_of(roads: TracedRoads) -> dict[str, Floats]:
    """Return the attributes by name, (E,) each, rounded to two decimals."""
    values = (roads.length_m, roads.width_m, roads.speed_kmh, roads.travel_s)
    return {name: np.round(value, _DECIMALS) for name, value in zip(NUMBERS, values, strict=True)}


def decimals_of(crs: str) -> int:
    """Return the number of decimals that coordinates of a CRS are written with."""
    return _DEGREE_DECIMALS if is_geographic(crs, "the graph") else _METRE_DECIMALS
