"""Look-up of data sets by their sensors, which catalogue entries, manifests and stores name."""

from __future__ import annotations

from difflib import get_close_matches

from components.contract.errors import ParameterError
from components.lib.datasets.base import Dataset, Sensor
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.datasets.spacenet6 import SPACENET6

DATASETS = {dataset.name: dataset for dataset in (SPACENET6, REHEARSAL)}
"""All data sets by name; a new one is a module of this package and an entry here."""


def known_sensors() -> dict[str, Sensor]:
    """Return the sensors of all data sets by name."""
    return {sensor.name: sensor for dataset in DATASETS.values() for sensor in dataset.sensors}


def get_sensor(name: str) -> Sensor:
    """Return the sensor of that name.

    Raises:
        ParameterError: If the name is unknown, naming the nearest known one.
    """
    for dataset in DATASETS.values():  # asked for once per tile: no table of all sensors is made each time
        for sensor in dataset.sensors:
            if sensor.name == name:
                return sensor
    sensors = known_sensors()
    nearest = get_close_matches(name, sensors, n=1, cutoff=0.0)
    raise ParameterError(
        f"unknown sensor {name!r}; the nearest known one is {nearest[0]!r}",
        next_step=f"use one of {', '.join(sensors)} or declare the sensor in components/lib/datasets",
    )


def dataset_of(sensor: str) -> Dataset:
    """Return the data set that a sensor belongs to.

    Raises:
        ParameterError: If the name is unknown, naming the nearest known one.
    """
    get_sensor(sensor)
    return next(
        dataset for dataset in DATASETS.values() if sensor in [known.name for known in dataset.sensors]
    )
