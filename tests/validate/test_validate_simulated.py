"""The simulated releases as they are, held against the limits that ship in params.yaml."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from components.lib.config.loader import load_parameters
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.datasets.sensors import get_sensor
from components.lib.drift.tiles import of_features
from components.simulation.parameters import WorldParameters
from components.simulation.release import release_files
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, validate
from tests.validate.conftest import Listed, Release, Result, read_result, write_release

ROOT = Path(__file__).parents[2]
WORLD = WorldParameters(seed=5, tiles=12, tile_px=128)


def simulated_release(sensor: str, acquisition: str) -> Release:
    release = Release(sensor=sensor, acquisition=acquisition)
    for file in release_files(get_sensor(sensor), WORLD, acquisition, workers=1):
        name = PurePosixPath(file.path).name
        if REHEARSAL.matches(name):
            tile = REHEARSAL.parse(name)
            release.files[name] = Listed(tile.product, tile.strip, tile.tile, file.content)
        else:
            release.files[name] = Listed("Summary", "", -1, file.content)
    return release


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    root = tmp_path_factory.mktemp("simulated")
    folders = Folders(root / "raw", root / "features", root / "validated", root / "reports")
    write_release(
        folders.raw / "p00",
        simulated_release("simulated-airborne", "airborne"),
        simulated_release("simulated-spaceborne", "spaceborne"),
    )
    validate(folders, load_parameters("validate", ValidateParameters, ROOT / "params.yaml"), ["p00"])
    return read_result(folders)


def test_both_simulated_sensors_pass(result: Result) -> None:
    assert result.verdict["verdict"] == "good"
    assert result.verdict["simulated"] is True
    assert result.quarantine.empty
    tiles = {name: sensor["tiles"] for name, sensor in result.verdict["sensors"].items()}
    assert tiles == {"simulated-airborne": 12, "simulated-spaceborne": 12}


def test_their_features_are_plausible(result: Result) -> None:
    rows = result.features.set_index("sensor")
    air, space = rows.loc["simulated-airborne"], rows.loc["simulated-spaceborne"]
    assert (air["pair_offset_px"] == 0).all()
    assert air["label_count"].sum() > 0
    assert space["pair_present"].isna().all()
    assert space["sar_mean_VV"].isna().all()
    assert (space["sar_bands"] == 2).all()
    assert rows["sar_max"].max() < 100
    assert set(rows["orientation"]) == {0, 1}
    offsets = of_features(result.features, 1000.0).of(sensor="simulated-airborne").table
    assert offsets["sar_offset_east_m"].abs().median() < 2.0
    assert offsets["sar_offset_range_m"].median() < 0, "layover points to the radar, which is on both sides"
