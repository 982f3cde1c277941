"""The rehearsal world of :mod:`components.simulation`: simulated sensors, files laid out as in SpaceNet 6."""

from __future__ import annotations

from dataclasses import replace

from components.lib.datasets.base import Product, RoadLabels, Sensor
from components.lib.datasets.spacenet6 import (
    BUILDINGS,
    CAPELLA_AIRBORNE,
    INTENSITY_LIMITS,
    PS_RGB,
    PS_RGBNIR,
    SAR_INTENSITY,
    SPACENET6,
)

SIMULATED_AIRBORNE = replace(CAPELLA_AIRBORNE, name="simulated-airborne", simulated=True)
"""Twin of the real airborne radar."""

SIMULATED_SPACEBORNE = Sensor(
    name="simulated-spaceborne",
    bands=("HH", "HV"),
    quad_pol_source=(0, 1, 1, 0),
    gsd_m=0.9999929525571694,
    valid_range=(0.0, 100.0),
    scale_limits=INTENSITY_LIMITS,
    crs="EPSG:32631",
    incidence_deg=45.0,
    looks=1.5,
    simulated=True,
    paired_optical=False,
)
"""A dual-pol satellite with coarser pixels, fewer looks and no optical images: the sensor adapted to."""

DRAWN = (SAR_INTENSITY, PS_RGB, PS_RGBNIR, BUILDINGS)
"""Products that the simulation makes, in the order in which it writes a tile's files."""

ROADS = Product(name="Roads", folder="geojson_roads", extension="geojson")
"""Centre lines of the streets, made only where the section `world` asks for roads."""

REHEARSAL = replace(
    SPACENET6,
    name="rehearsal",
    sensors=(SIMULATED_AIRBORNE, SIMULATED_SPACEBORNE),
    roads=RoadLabels(product=ROADS, width_key="width_m", class_key="class", uncertain=("track", "path")),
)
