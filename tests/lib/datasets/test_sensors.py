from __future__ import annotations

import pytest

from components.contract.errors import ParameterError
from components.lib.config.loader import load_parameters
from components.lib.datasets.sensors import DATASETS, dataset_of, get_sensor, known_sensors
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.evaluation.results import CLEAN, KANG
from components.prepare.parameters import PrepareParameters
from tests.conftest import ROOT


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


def test_every_sensor_belongs_to_one_data_set() -> None:
    names = [sensor.name for dataset in DATASETS.values() for sensor in dataset.sensors]
    assert len(names) == len(set(names))
    for name in names:
        assert get_sensor(name) in dataset_of(name).sensors


def test_the_parameters_draw_the_official_groups() -> None:
    split = load_parameters("prepare", PrepareParameters, ROOT / "params.yaml").split
    official = SPACENET6.split
    assert (split.west_m, split.east_m, split.groups) == (official.west_m, official.east_m, official.groups)


def test_the_scored_sets_carry_the_official_names() -> None:
    assert (SPACENET6.split.published, SPACENET6.split.disjoint) == (KANG, CLEAN)
