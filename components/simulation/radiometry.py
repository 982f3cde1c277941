"""Brightness of surfaces to each sensor: scattering tables, noise floors, and the units of the product.

Calibrated against published or measured statistics of the real SpaceNet 6 radar: sigma-nought of the SLC
crops, mean and deviation of the expanded edition, band means of the tiled edition
(docs/methods/spacenet6.md). `python -m components.experiments.compare_simulation` shows how close the
simulated images come.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from components.contract.errors import ParameterError
from components.simulation.frame import Float
from components.simulation.objects import Material

_SCATTER_DB = {
    # co-pol, cross-pol gamma-nought at X band; mean over like surfaces.
    Material.GRASS: (-11.5, -17.5),
    Material.ASPHALT: (-18.0, -26.0),
    Material.PAVING: (-13.5, -21.0),
    Material.GRAVEL: (-11.0, -19.0),
    Material.WATER: (-27.0, -38.0),
    Material.SOIL: (-11.0, -19.0),
    Material.GARDEN: (-9.0, -15.0),
    Material.RAIL: (-8.0, -17.0),
    Material.TILES: (-9.0, -17.5),
    Material.BITUMEN: (-13.0, -21.0),
    Material.PEBBLE_ROOF: (-9.0, -17.0),
    Material.METAL: (-15.0, -24.0),
    Material.GREEN_ROOF: (-10.5, -17.0),
    Material.BOX: (-4.0, -13.0),
    Material.TREE: (-7.5, -12.5),
}

_db = np.array([_SCATTER_DB[m] for m in Material], dtype=np.float32)
COPOL: Float = (10 ** (_db[:, 0] / 10)).astype(np.float32)
"""Co-pol gamma-nought by ``Material``, linear."""
CROSSPOL: Float = (10 ** (_db[:, 1] / 10)).astype(np.float32)
"""Cross-pol gamma-nought by ``Material``, linear."""
SPECULAR: Float = np.where(
    np.isin(np.arange(len(Material)), [Material.METAL, Material.BOX]), 60.0, 10.0
).astype(np.float32)
"""Gain over its mean of a surface that faces the radar squarely, linear."""


_clutter_db = np.zeros(len(Material), dtype=np.float32)
for _material, _spread in {
    Material.GARDEN: 5.0, Material.GRAVEL: 4.0, Material.PAVING: 4.0, Material.RAIL: 5.0,
    Material.PEBBLE_ROOF: 4.0, Material.TILES: 3.0, Material.TREE: 3.0, Material.BOX: 5.0,
}.items():  # fmt: skip
    _clutter_db[_material] = _spread
CLUTTER: Float = (_clutter_db * np.float32(np.log(10) / 10)).astype(np.float32)
"""Spread of a surface's own small scatterers (fences, kerbs, gutters), natural logarithm, by ``Material``."""

ROOF_SPREAD = 3.5 * np.log(10) / 10
"""Spread between roofs of one material, natural logarithm (3.5 dB)."""


@dataclass(frozen=True, slots=True)
class Radiometry:
    """Noise, offsets and blur that a sensor adds to the power it receives.

    Attributes:
        noise_db: Noise-equivalent sigma-nought of HH, HV, VH, VV, dB.
        offset_db: Constant that the product adds to the decibels of each polarisation (its "intensity" is not
            calibrated: cross-pol bands average higher than co-pol ones, as in the real product).
        psf: Share of a pixel's power that leaks into each neighbour.
        haze: Multiplicative noise: share of the surroundings' mean power that sidelobes, ambiguities and
            quantisation spread over everything, so that shadows in a bright city are not black.
        navigation_m: Standard deviation of a strip's position, metres each way.
        highest: Value at which the product saturates, units.
    """

    noise_db: tuple[float, float, float, float]
    offset_db: tuple[float, float, float, float]
    psf: float
    haze: float
    navigation_m: float
    highest: float = 92.9


RADIOMETRY = MappingProxyType(
    {
        # Offsets: band means of the tiled edition (spacenet6.SAR_MOMENTS) less the mean decibels of the
        # expanded edition (-11.20, -14.13, -13.48, -10.77).
        "simulated-airborne": Radiometry(
            noise_db=(-15.2, -15.6, -15.2, -14.8),
            offset_db=(39.8, 50.2, 47.3, 37.0),
            psf=0.08,
            haze=0.03,
            navigation_m=0.9,
        ),
        "simulated-spaceborne": Radiometry(
            noise_db=(-12.5, -13.5, -13.5, -12.5),
            offset_db=(45.0, 52.0, 52.0, 45.0),
            psf=0.14,
            haze=0.05,
            navigation_m=1.2,
        ),
    }
)
"""Radiometry by sensor name."""


def radiometry_of(sensor: str) -> Radiometry:
    """Look up a simulated sensor's radiometry.

    Raises:
        ParameterError: If the rehearsal world cannot image with that sensor.
    """
    if sensor not in RADIOMETRY:
        raise ParameterError(
            f"the rehearsal world has no radar like {sensor!r}",
            next_step=f"use one of {', '.join(RADIOMETRY)}",
        )
    return RADIOMETRY[sensor]
