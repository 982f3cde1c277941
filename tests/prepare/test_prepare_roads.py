"""Road labels become the packed masks of a store of roads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from rasterio.transform import Affine

from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.store.layout import ROAD_COLUMNS, with_task
from components.lib.store.store import Store
from components.lib.tasks.labels import ROAD_LABELS
from components.prepare.pairing import label_product
from components.prepare.parameters import RoadParameters
from components.prepare.pipeline import TILES_FILE, read_tables
from tests.prepare.tiny_raw import AIRBORNE, NORTH, PARAMETERS, SIDE, SOUTH, WEST, Acquisition, Folders

ROADS = PARAMETERS.model_copy(update={"task": "roads"})


def lines(transform: Affine, *features: tuple[list[tuple[float, float]], dict[str, object]]) -> bytes:
    """Lines through pixel coordinates, with properties."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    found = [
        {
            "type": "Feature",
            "properties": properties,
            "geometry": json.loads(shapely.to_geojson(shapely.LineString([transform @ p for p in pixels]))),
        }
        for pixels, properties in features
    ]
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": found}).encode()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Three tiles with roads, one of them from the south, and one whose file was not delivered."""
    folders = Folders(tmp_path_factory.mktemp("roads"))
    flight = Acquisition(dataset=REHEARSAL)
    for tile, strip in ((0, NORTH), (1, SOUTH), (2, NORTH), (3, NORTH)):
        transform = flight.add_tile(tile, WEST + 40 * tile, strip=strip)
        if tile == 3:
            continue
        level, width = [(-5.0, 20.0), (70.0, 20.0)], {"width_m": 4.0, "class": "residential"}
        doubt = ([(-5.0, 50.0), (70.0, 50.0)], {"width_m": 4.0, "class": "track"})
        flight.add("Roads", tile, lines(transform, (level, width), doubt), strip)
    folders.write(flight)
    folders.prepare(ROADS)
    return folders


def test_bits_are_road_centre_and_doubt(prepared: Folders) -> None:
    store = Store.open(prepared.store)
    assert store.task == "roads"
    assert store.footprints.empty
    target = store.layer(AIRBORNE, "target")
    tiles = store.index.set_index("tile")
    assert sorted(tiles.index) == [0, 1, 2], "a tile of which no roads are known is left out"
    assert set(tiles["n_buildings"]) == {2}
    for number, place in tiles.iterrows():
        packed = np.asarray(target[int(place["row"])])[..., 0]
        upright = np.rot90(packed, 2) if number == 1 else packed
        road, centre, doubt = (upright >> bit & 1 for bit in range(len(ROAD_LABELS)))
        assert np.flatnonzero(road[:, SIDE // 2]).tolist() == list(range(16, 24))
        assert centre.sum(axis=0).tolist() == [1] * SIDE
        assert np.flatnonzero(doubt[:, SIDE // 2]).tolist() == list(range(46, 54))


def test_centre_lines_are_kept_upright_and_cut_at_the_edges(prepared: Folders) -> None:
    store = Store.open(prepared.store)
    assert list(store.roads.columns) == list(ROAD_COLUMNS)
    assert store.roads["road_id"].tolist() == [0, 1] * 3
    assert store.roads["uncertain"].tolist() == [False, True] * 3
    for name in store.index["image_id"]:
        [line] = store.centre_lines(name, AIRBORNE)
        assert shapely.get_coordinates(line) == pytest.approx(np.array([[0.0, 20.0], [SIDE, 20.0]]), abs=1e-6)


def test_counts_and_exclusions_are_told_under_the_tasks_name(prepared: Folders) -> None:
    details = json.loads(prepared.metrics.with_name("details.json").read_text())
    assert details["sensors"][AIRBORNE]["roads"] == 6
    assert "buildings" not in details["sensors"][AIRBORNE]
    assert details["excluded"] == {"no labels": 1}


def test_the_same_width_for_all_where_the_parameters_say_so(tmp_path: Path) -> None:
    folders, flight = Folders(tmp_path), Acquisition(dataset=REHEARSAL)
    transform = flight.add_tile(0, WEST)
    flight.add("Roads", 0, lines(transform, ([(-5.0, 20.0), (70.0, 20.0)], {"width_m": 12.0})))
    folders.write(flight)
    roads = RoadParameters(half_width_m=1.0, own_widths=False)
    folders.prepare(ROADS.model_copy(update={"roads": roads}))
    packed = folders.array(AIRBORNE, "target")[0, :, SIDE // 2, 0]
    assert np.flatnonzero(packed & 1).tolist() == [18, 19, 20, 21]


def test_partitions_of_different_tasks_are_no_store(prepared: Folders) -> None:
    tables = prepared.store / "tables" / "p01"
    tables.mkdir()
    first = prepared.store / "tables" / "p00"
    tiles = pd.read_parquet(first / TILES_FILE)
    with_task(tiles, "buildings").to_parquet(tables / TILES_FILE, index=False)
    (tables / "excluded.json").write_bytes((first / "excluded.json").read_bytes())
    with pytest.raises(BadDataError, match="different tasks: p00 roads, p01 buildings"):
        read_tables(prepared.store, ["p00", "p01"])


def test_a_data_set_without_roads_is_named() -> None:
    assert label_product(SPACENET6, "buildings") is SPACENET6.labels
    with pytest.raises(ParameterError, match=r"prepare\.task: the data set spacenet6 has no road labels"):
        label_product(SPACENET6, "roads")


def test_a_damaged_file_of_roads_is_named(tmp_path: Path) -> None:
    folders, flight = Folders(tmp_path), Acquisition(dataset=REHEARSAL)
    flight.add_tile(0, WEST)
    flight.add("Roads", 0, b'{"type": "FeatureCollection"')
    folders.write(flight)
    with pytest.raises(BadDataError, match="Roads_20190804111224"):
        folders.prepare(ROADS)
