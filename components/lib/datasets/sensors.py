"""SAR sensors as data: adding a sensor is adding an entry, not code."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from components.contract.errors import ParameterError

QUAD_POL = ("HH", "HV", "VH", "VV")
"""Band order of the network's SAR input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """What readers, validation and networks must know of one SAR sensor.

    Attributes:
        name: Key in catalogue entries, indices and model signatures.
        bands: Polarisations in file order.
        quad_pol_source: For each of HH, HV, VH, VV the index of the file band that stands in for it; a
            missing polarisation borrows its nearest relative (co-pol for co-pol, cross-pol for cross-pol).
        gsd_m: Pixel size in metres.
        valid_range: Smallest and largest believable valid value, in the product's logarithmic units; 0 is
            no-data.
        scale_limits: Values that the training store maps linearly to 1 and 255, the same for every tile.
            They belong to the product: two editions with other units must not share them.
        crs: Coordinate reference system of the product.
        incidence_deg: Incidence angle from the vertical, degrees.
        looks: Equivalent number of looks.
        simulated: True for the rehearsal world; every number on it is called simulated.
        paired_optical: Whether optical products on the same grid come with each SAR tile.
    """

    name: str
    bands: tuple[str, ...]
    quad_pol_source: tuple[int, int, int, int]
    gsd_m: float
    valid_range: tuple[float, float]
    scale_limits: tuple[float, float]
    crs: str
    incidence_deg: float
    looks: float
    simulated: bool
    paired_optical: bool


# Two winners of SpaceNet 6 scale SAR-Intensity by 255 / 92, its largest value (reference data.md section 3).
_SAR_INTENSITY_LIMITS = (0.0, 92.0)

_SENSORS = (
    # Reference data.md section 3: real pixel size, value range and quad-pol band order of the release.
    Sensor(
        name="capella-airborne",
        bands=QUAD_POL,
        quad_pol_source=(0, 1, 2, 3),
        gsd_m=0.4999964762785847,
        valid_range=(0.0, 100.0),
        scale_limits=_SAR_INTENSITY_LIMITS,
        crs="EPSG:32631",
        incidence_deg=35.0,
        looks=4.0,
        simulated=False,
        paired_optical=True,
    ),
    Sensor(
        name="simulated-airborne",
        bands=QUAD_POL,
        quad_pol_source=(0, 1, 2, 3),
        gsd_m=0.4999964762785847,
        valid_range=(0.0, 100.0),
        scale_limits=_SAR_INTENSITY_LIMITS,
        crs="EPSG:32631",
        incidence_deg=35.0,
        looks=4.0,
        simulated=True,
        paired_optical=True,
    ),
    Sensor(
        name="simulated-spaceborne",
        bands=("HH", "HV"),
        quad_pol_source=(0, 1, 1, 0),
        gsd_m=0.9999929525571694,
        valid_range=(0.0, 100.0),
        scale_limits=_SAR_INTENSITY_LIMITS,
        crs="EPSG:32631",
        incidence_deg=45.0,
        looks=1.5,
        simulated=True,
        paired_optical=False,
    ),
)

SENSORS = MappingProxyType({sensor.name: sensor for sensor in _SENSORS})
"""All known sensors by name."""


def get_sensor(name: str) -> Sensor:
    """Look up a sensor.

    Raises:
        ParameterError: If the name is unknown, naming the nearest known one.
    """
    if name in SENSORS:
        return SENSORS[name]
    nearest = get_close_matches(name, SENSORS, n=1, cutoff=0.0)
    raise ParameterError(
        f"unknown sensor {name!r}; the nearest known one is {nearest[0]!r}",
        next_step=f"use one of {', '.join(SENSORS)} or declare the sensor in components/lib/datasets",
    )
