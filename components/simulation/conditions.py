"""Light, season, view and traffic of one optical image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from components.simulation.objects import Material

BandGains = tuple[float, float, float, float]
"""Factors of red, green, blue and near infra-red."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions of one optical pass; directions are azimuths clockwise from north, all angles in radians.

    Attributes:
        sun_azimuth: Direction that the light comes from.
        sun_elevation: Height of the sun above the horizon.
        lean_azimuth: Direction that the tops of things lean to.
        off_nadir: Angle of the view from the vertical.
        gains: Factors of the colours of materials that differ from their colour in late August.
        haze: Share of the light that haze adds and takes away.
        traffic: Draws which parking places are taken.
        texture_shift: Pixels that the fine texture is shifted by: sensor noise and the small things of the
            ground differ between passes.
    """

    sun_azimuth: float
    sun_elevation: float
    lean_azimuth: float
    off_nadir: float
    gains: Mapping[Material, BandGains] = field(default_factory=dict)
    haze: float = 0.0
    traffic: int = 0
    texture_shift: int = 0

    @property
    def shadow(self) -> tuple[float, float]:
        """Shadow of a point one metre high: metres east and north."""
        length = np.tan(self.sun_elevation)
        return -np.sin(self.sun_azimuth) / length, -np.cos(self.sun_azimuth) / length

    @property
    def lean(self) -> tuple[float, float]:
        """Displacement of a point one metre high: metres east and north."""
        length = np.tan(self.off_nadir)
        return np.sin(self.lean_azimuth) * length, np.cos(self.lean_azimuth) * length


AUGUST = Conditions(
    sun_azimuth=np.radians(155.0),
    sun_elevation=np.radians(46.0),
    lean_azimuth=np.radians(300.0),
    off_nadir=np.radians(17.0),
)
"""The pass of the release: 31 August, about 17 degrees off nadir (docs/methods/spacenet6.md)."""
