"""Files of simulated extracts, read by stage ``osm``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from rasterio.features import rasterize

from components.contract.errors import BadDataError, ParameterError
from components.lib.geo.grid import Grid
from components.lib.osm.terms import OBJECT
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from components.osm.parameters import OsmParameters
from components.osm.pipeline import draw_masks
from components.simulation.city import city_of
from components.simulation.openstreetmap import __main__ as command
from components.simulation.openstreetmap.extract import boxes_of, write_extract
from components.simulation.parameters import WorldParameters
from tests.lib.osm.extracts import SIDE
from tests.lib.store.tiny_store import tiny_store

LEFT, TOP, SENSOR = 594628.0, 5749928.0, "simulated-airborne"
TILE = (LEFT, TOP - SIDE, LEFT + SIDE, TOP)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two tiles on ground of the city, one metre a pixel."""
    folder = tmp_path_factory.mktemp("city")
    tiny, _ = tiny_store(folder / "tiny", splits=("train",) * 2)
    index = (
        tiny.index[tiny.index["sensor"] == SENSOR]
        .drop(columns="position")
        .assign(
            x_left_m=[LEFT, LEFT + SIDE],
            y_top_m=TOP,
            gsd_m=1.0,
            height=SIDE,
            width=SIDE,
            orientation=0,
            strip="20190804111224_x",
        )
    )
    layers = {
        (SENSOR, layer): np.full((2, SIDE, SIDE, bands), 7, dtype=np.uint8)
        for layer, bands in (("sar", 4), ("optical", 4), ("target", 1))
    }
    write_store(folder / "store", index, tiny.footprints.iloc[:0], layers)
    return Store.open(folder / "store")


def test_stage_osm_draws_the_city_s_buildings_from_an_extract_without_errors(
    store: Store, tmp_path: Path
) -> None:
    world = WorldParameters()
    made = write_extract(tmp_path / "city.geojson", city_of(world.seed), boxes_of(store), "none", 1)
    parameters = OsmParameters.model_validate({"tasks": ["buildings"], "extract": made.declaration()})
    draw_masks("buildings", store, tmp_path / "osm", tmp_path / "reports", parameters)
    masks = np.load(tmp_path / "osm" / f"{SENSOR}.npy")[..., 0]
    polygons = city_of(world.seed).objects_in(TILE).polygons
    grid = Grid(x_left_m=LEFT, y_top_m=TOP, gsd_m=1.0, height=SIDE, width=SIDE)
    large = [p for p in polygons if p.area >= 20]
    truth = rasterize(large, out_shape=(SIDE, SIDE), transform=grid.transform) > 0
    assert truth.mean() > 0.3
    assert ((masks[0] == OBJECT) == truth).mean() > 0.998


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    made = [
        write_extract(tmp_path / name, city_of(7), [TILE], "poor", 3) for name in ("a.geojson", "b.geojson")
    ]
    assert made[0].sha256 == made[1].sha256
    assert made[0].counts["true building"] > made[0].counts["building"] > 0


def test_the_command_prints_the_declaration_that_the_stage_needs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "vegas.geojson"
    monkeypatch.setattr(
        "sys.argv", ["x", "--noise", "vegas", "--out", str(out), "--store", str(store.folder)]
    )
    command.main()
    printed = yaml.safe_load(capsys.readouterr().out)["osm"]["extract"]
    checked = OsmParameters.model_validate({"tasks": ["buildings"], "extract": printed})
    assert checked.extract.path == str(out)
    assert "errors vegas" in str(checked.extract.source)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--noise", "vega"], "vegas"),
        (["--noise", "vegas", "--seed", "-1"], "negative"),
        (["--noise", "vegas", "--out", "."], "is a folder"),
    ],
)
def test_wrong_options_are_named(
    options: list[str], match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["x", "--out", str(tmp_path / "x.geojson"), *options])
    with pytest.raises(ParameterError, match=match):
        command.main()
    assert not list(tmp_path.iterdir())


def test_a_store_of_a_real_sensor_is_refused(store: Store) -> None:
    real = Store(store.folder, store.index.assign(sensor="capella-airborne"), store.partitions)
    with pytest.raises(BadDataError, match="no sensor of the simulated city"):
        boxes_of(real)
