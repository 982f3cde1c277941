from __future__ import annotations

import pytest

from components.contract.errors import ParameterError
from components.lib.datasets.sensors import get_sensor, known_sensors


def test_an_unknown_sensor_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="'capella-airborne'"):
        get_sensor("capela-airborn")


@pytest.mark.parametrize("name", known_sensors())
def test_declarations_are_consistent(name: str) -> None:
    sensor = get_sensor(name)
    assert sensor.name == name
    assert all(0 <= index < len(sensor.bands) for index in sensor.quad_pol_source)
    assert sensor.valid_range[0] < sensor.valid_range[1]
    assert sensor.scale_limits[0] < sensor.scale_limits[1]
    assert sensor.simulated == name.startswith("simulated")


@pytest.mark.parametrize("name", known_sensors())
def test_co_pol_stands_in_for_co_pol(name: str) -> None:
    sensor = get_sensor(name)
    kinds = ["co" if p[0] == p[1] else "cross" for p in ("HH", "HV", "VH", "VV")]
    borrowed = [sensor.bands[i] for i in sensor.quad_pol_source]
    assert ["co" if b[0] == b[1] else "cross" for b in borrowed] == kinds
