"""Maps of roads: the graph is that of the whole mask, whatever blocks, windows and kills there were."""

from __future__ import annotations

import io
from pathlib import Path

import geopandas
import networkx  # type: ignore[import-untyped]
import numpy as np
import pytest
import rasterio

from components.contract.errors import BadDataError
from components.lib.config.scoring import ScoringSettings
from components.lib.mapping.blocks import Blocks
from components.lib.objects.folder import FolderObjects
from components.lib.roads.tracing.reading import read_mask
from components.lib.roads.tracing.trace import trace_roads
from components.predict.mapping import block_key
from components.predict.outputs import facts as names
from components.predict.products.roads import RoadProduct
from tests.predict.products.road_scenes import (
    PREFIX,
    SHAPE,
    finished,
    road_map,
    road_mask,
    road_scene,
    traced,
)
from tests.stac import validate

TABLES = (names.ROADS, names.ROAD_GRAPH)
FILES = {*TABLES, names.PROBABILITY, names.ROAD_TILES, names.THUMBNAIL, names.PAGE}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, bytes]:
    """Files of the scene mapped as one block and one window."""
    return finished(road_map(road_scene(), window_px=512, block_px=512), folder)


def same_tables(found: dict[str, bytes], expected: dict[str, bytes]) -> bool:
    return all(found[name] == expected[name] for name in TABLES)


def test_a_map_of_roads_has_a_graph_in_place_of_footprints(expected: dict[str, bytes]) -> None:
    assert set(expected) == FILES
    with rasterio.MemoryFile(expected[names.PROBABILITY]) as file, file.open() as raster:
        assert raster.descriptions == ("road",)
    roads = geopandas.read_parquet(io.BytesIO(expected[names.ROADS]))
    graph = networkx.parse_graphml(expected[names.ROAD_GRAPH].decode())
    assert len(roads) == graph.number_of_edges() > 5
    assert set(roads.geom_type) == {"LineString"}
    assert roads["length_m"].sum() == pytest.approx(roads.length.sum(), rel=1e-3)
    assert set(roads["speed_kmh"]) <= {20.0, 30.0, 50.0, 60.0, 80.0}
    assert (roads["scene"] == "test").all()
    lower = roads[np.abs(roads.centroid.y + 270 * 0.5) < 0.5]
    assert len(lower) == 2, "one that crosses the street makes two parts of it"
    assert lower["width_m"].to_numpy() == pytest.approx(6 * 0.5, abs=0.5), "within a pixel"


def test_the_graph_is_that_of_the_command_on_the_published_raster(
    expected: dict[str, bytes], folder: Path
) -> None:
    traced = trace_roads(read_mask(folder / "out" / names.PROBABILITY, 0.5))
    roads = geopandas.read_parquet(io.BytesIO(expected[names.ROADS]))
    assert roads["length_m"].tolist() == np.round(traced.length_m, 2).tolist()
    assert roads.geometry.tolist() == traced.on_map().tolist()


@pytest.mark.parametrize(("window", "block"), [(80, 64), (96, 100), (160, 256)])
def test_windows_and_blocks_change_nothing(
    window: int, block: int, expected: dict[str, bytes], tmp_path: Path
) -> None:
    found = traced(road_map(road_scene(), window_px=window, block_px=block), tmp_path)
    assert same_tables(found, expected)


class _KilledError(Exception):
    pass


def test_a_killed_run_goes_on_and_gives_the_same_bytes(
    expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = FolderObjects.create

    def killed(store: FolderObjects, key: str, content: bytes) -> bool:
        if key == block_key(PREFIX, 7):
            raise _KilledError
        return create(store, key, content)

    with monkeypatch.context() as patched, pytest.raises(_KilledError):
        patched.setattr(FolderObjects, "create", killed)
        finished(road_map(road_scene()), tmp_path)
    assert not (tmp_path / "out").exists()
    found = finished(road_map(road_scene(), window_px=512, block_px=100), tmp_path)
    assert same_tables(found, expected)


def test_the_item_tells_roads_and_kilometres(tmp_path: Path) -> None:
    opened, work = road_map(road_scene(), gpkg=True), FolderObjects(tmp_path / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    item = opened.finish(work, PREFIX, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {names.ROAD_GEOPACKAGE}
    assert validate(item) == []
    properties = item["properties"]
    roads = geopandas.read_parquet(tmp_path / "out" / names.ROADS)
    assert properties["title"] == "Roads of test"
    assert properties["stormsight:task"] == "roads"
    assert properties["stormsight:roads"] == len(roads)
    assert properties["stormsight:road_km"] == pytest.approx(roads["length_m"].sum() / 1000, abs=1e-3)
    assert properties["stormsight:threshold"] == 0.5
    assert "stormsight:buildings" not in properties
    assert set(item["assets"]) == {
        "probability", "roads", "roads-graph", "roads-gpkg", "roads-tiles", "thumbnail", "page"
    }  # fmt: skip
    layer = geopandas.read_file(tmp_path / "out" / names.ROAD_GEOPACKAGE)
    assert layer["length_m"].tolist() == roads["length_m"].tolist()


def test_ground_without_a_road_is_a_map_without_a_graph(tmp_path: Path) -> None:
    found = finished(road_map(road_scene(np.zeros(SHAPE, dtype=bool))), tmp_path)
    assert set(found) == FILES
    assert not len(geopandas.read_parquet(io.BytesIO(found[names.ROADS])))
    assert networkx.parse_graphml(found[names.ROAD_GRAPH].decode()).number_of_nodes() == 0
    assert b"No road was found" in found[names.PAGE]


def test_a_scene_without_data_is_a_map_too(tmp_path: Path) -> None:
    scene = road_scene()
    scene.pixels[:] = 0
    assert set(finished(road_map(scene), tmp_path)) == FILES


def test_the_threshold_is_the_models_own_unless_scoring_states_one(tmp_path: Path) -> None:
    scene = road_scene()
    scene.pixels[..., 0] = np.where(road_mask(), 150, 5)  # a logit of 1.4: a probability of 0.8
    stated = road_map(scene, scoring=ScoringSettings(threshold=0.9))
    assert not len(geopandas.read_parquet(io.BytesIO(traced(stated, tmp_path / "stated")[names.ROADS])))
    own = traced(road_map(scene), tmp_path / "own")
    assert len(geopandas.read_parquet(io.BytesIO(own[names.ROADS])))


def test_a_scene_that_is_too_large_to_trace_is_refused_before_the_work() -> None:
    with pytest.raises(BadDataError, match="50000 x 50000 pixels") as raised:
        RoadProduct(Blocks((50_000, 50_000), 2048), 0.5)
    assert raised.value.next_step == "cut it into scenes"
