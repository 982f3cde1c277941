"""The claim of mapping: division, windows, workers and kills do not change the map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry.base import BaseGeometry

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.config.scoring import ScoringSettings
from components.lib.mapping.blockfile import pack, unpack
from components.lib.mapping.scene import Scene
from components.lib.objects.folder import FolderObjects
from components.predict.mapping import SceneMap, block_key
from components.predict.models import ServedModel
from components.predict.outputs import facts as names
from components.predict.parameters import MapParameters
from components.predict.request import map_of, name_of
from components.predict.rules import MapRules
from tests.lib.mapping.looks_at_ground import FACTS, Nearby, PixelScene

SHAPE = (300, 420)
PREFIX = "blocks/"


def planted(seed: int = 3) -> tuple[PixelScene, list[BaseGeometry]]:
    """Scene whose first band is 250 in buildings and 5 around them, and the buildings, in pixels."""
    rng = np.random.default_rng(seed)
    pixels = np.full((*SHAPE, 4), 5, dtype=np.uint8)
    buildings: list[BaseGeometry] = []
    for top in range(4, SHAPE[0] - 30, 30):
        for left in range(4, SHAPE[1] - 30, 30):
            height, width = rng.integers(8, 26, 2)
            y, x = top + int(rng.integers(0, 28 - height)), left + int(rng.integers(0, 28 - width))
            pixels[y : y + height, x : x + width, 0] = 250
            buildings.append(shapely.box(x, y, x + width, y + height))
    # One larger than every block, with a courtyard.
    pixels[100:260, 60:330, 0] = 5
    buildings = [b for b in buildings if not b.intersects(shapely.box(60, 100, 330, 260))]
    pixels[110:250, 70:320, 0] = 250
    pixels[140:220, 100:290, 0] = 5
    buildings.append(shapely.box(70, 110, 320, 250) - shapely.box(100, 140, 290, 220))
    return PixelScene(_without_halves(pixels, buildings)), buildings


def _without_halves(pixels: np.ndarray, buildings: list[BaseGeometry]) -> np.ndarray:
    """Remove what is left of buildings that the large one took away."""
    kept = rasterio.features.rasterize(buildings, SHAPE, dtype="uint8")
    pixels[..., 0] = np.where(kept, 250, 5)
    pixels[:, :3] = 0  # no data along one edge
    return pixels


def mapped(scene: Scene, **parameters: object) -> SceneMap:
    model = ServedModel(
        net=Nearby(reach=0), name="models/test", version="", weights_sha256="0" * 64, promoted=False,
        item_href=None,
    )  # fmt: skip
    rules = MapRules(
        MapParameters.model_validate({"window_px": 128, "overlap_px": 32, "block_px": 100, **parameters}),
        ScoringSettings(min_area_px=20),
    )
    return map_of([scene], model, rules, "test")


def footprints(folder: Path) -> list[bytes]:
    """Sorted WKB of a map's footprints."""
    table = geopandas.read_parquet(folder / names.FOOTPRINTS)
    return sorted(shapely.to_wkb(table.geometry.to_numpy()))


def write(opened: SceneMap, work: FolderObjects, folder: Path) -> tuple[list[bytes], bytes]:
    folder.mkdir(exist_ok=True)
    opened.write_blocks(work, PREFIX, folder)
    return footprints(folder), (folder / names.PROBABILITY).read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], bytes]:
    """Footprints and raster of the whole scene as one block and one window."""
    folder = tmp_path_factory.mktemp("whole")
    opened, work = mapped(planted()[0], window_px=512, block_px=512), FolderObjects(folder / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    return write(opened, work, folder / "out")


def test_a_perfect_map_has_each_building_once(expected: tuple[list[bytes], bytes]) -> None:
    truth = [shapely.transform(b, lambda xy: xy * [0.5, -0.5]) for b in planted()[1]]
    found = shapely.normalize(shapely.from_wkb(expected[0]))
    assert sorted(shapely.to_wkb(found)) == sorted(shapely.to_wkb(shapely.normalize(truth)))


@pytest.mark.parametrize("window", [80, 96, 160])
@pytest.mark.parametrize("block", [64, 100, 256])
def test_windows_and_blocks_change_nothing(
    window: int, block: int, expected: tuple[list[bytes], bytes], tmp_path: Path
) -> None:
    opened, work = mapped(planted()[0], window_px=window, block_px=block), FolderObjects(tmp_path / "work")
    order = np.random.default_rng(block).permutation(len(opened.blocks)).tolist()
    opened.map_blocks(order, work, PREFIX)
    polygons, raster = write(opened, work, tmp_path / "out")
    assert polygons == expected[0]
    assert pixels_of(raster) == pixels_of(expected[1])


def pixels_of(content: bytes) -> bytes:
    """Pixels of an encoded raster."""
    with rasterio.MemoryFile(content) as file, file.open() as raster:
        return bytes(raster.read().tobytes())


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("point", range(0, 15, 2))
def test_a_killed_run_goes_on_and_gives_the_same_bytes(
    point: int, expected: tuple[list[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, work = planted()[0], FolderObjects(tmp_path / "work")
    create: Callable[[FolderObjects, str, bytes], bool] = FolderObjects.create

    def killed(store: FolderObjects, key: str, content: bytes) -> bool:
        if key == block_key(PREFIX, point):
            raise _KilledError
        return create(store, key, content)

    with monkeypatch.context() as patched, pytest.raises(_KilledError):
        patched.setattr(FolderObjects, "create", killed)
        mapped(scene).map_blocks(range(15), work, PREFIX)
    opened = mapped(scene)
    assert opened.missing(work, PREFIX)[0] == point
    with pytest.raises(MissingInputError, match=f"first {point}"):
        opened.finish(work, PREFIX, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    done = {info.key: info.version for info in work.list(PREFIX)}
    opened.map_blocks(range(15), work, PREFIX)
    assert done.items() <= {info.key: info.version for info in work.list(PREFIX)}.items()
    assert write(opened, work, tmp_path / "out")[0] == expected[0]


def test_the_finished_folder_has_every_file_and_says_what_it_is(tmp_path: Path) -> None:
    opened, work = mapped(planted()[0], gpkg=True), FolderObjects(tmp_path / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    item = opened.finish(work, PREFIX, tmp_path / "out")
    files = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {names.PROBABILITY, names.FOOTPRINTS, names.GEOPACKAGE}
    assert files == tables | {names.THUMBNAIL, names.TILES, names.PAGE}
    assert item["id"] == opened.id
    assert item["properties"]["stormsight:simulated"] is True
    assert item["properties"]["stormsight:buildings"] == len(planted()[1])
    assert item["properties"]["stormsight:mapped_km2"] == pytest.approx(300 * 417 * 0.25e-6, abs=1e-4)


def test_a_damaged_block_is_named(tmp_path: Path) -> None:
    opened, work = mapped(planted()[0]), FolderObjects(tmp_path / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    work.put(block_key(PREFIX, 3), work.get(block_key(PREFIX, 3))[:-1] + b"x")
    with pytest.raises(BadDataError, match=block_key(PREFIX, 3)):
        opened.finish(work, PREFIX, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_block_of_another_division_is_named(tmp_path: Path) -> None:
    opened, work = mapped(planted()[0]), FolderObjects(tmp_path / "work")
    opened.map_blocks(range(15), work, PREFIX)
    key = block_key(PREFIX, 3)
    block = unpack(work.get(key), key)
    work.put(key, pack(replace(block, levels=block.levels[:50, :50])))
    with pytest.raises(BadDataError, match=r"blocks/000003 is of another division: it has \(50, 50\) pixels"):
        opened.finish(work, PREFIX, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_what_lies_where_a_block_should_is_named(make: Callable[[Path], None], tmp_path: Path) -> None:
    opened, work = mapped(planted()[0]), FolderObjects(tmp_path / "work")
    place = tmp_path / "work" / block_key(PREFIX, 3)
    place.parent.mkdir(parents=True)
    make(place)
    with pytest.raises(BadDataError, match=r"blocks/000003 is a folder or a link"):
        opened.map_blocks(range(15), work, PREFIX)


def test_the_id_follows_from_all_that_changes_a_map() -> None:
    scene = planted()[0]
    ids = {mapped(scene).id, mapped(scene, block_px=64).id, mapped(scene, outlines="raw").id}
    assert len(ids) == 3
    assert mapped(scene, workers=2, threads=1).id == mapped(scene).id


def test_a_model_that_was_promoted_since_maps_anew() -> None:
    scene, before = planted()[0], mapped(planted()[0])
    promoted = replace(before.model, name="stormsight-sar", version="1", promoted=True)
    assert map_of([scene], promoted, before.rules, "test").id != before.id


@pytest.mark.parametrize(
    ("look", "name"),
    [
        ("strip", "strip"),
        (
            "SN6_Train_AOI_11_Rotterdam_20190822070610_20190822070846_tile_3721",
            "20190822070610-20190822070846-tile-3721",
        ),
        ("20190822070610_20190822070846_tile_1_of_14", "20190822070846-tile-1-of-14"),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_long_name_keeps_its_end(look: str, name: str) -> None:
    scene = PixelScene(planted()[0].pixels, replace(FACTS, name=look))
    assert name_of(["folder/file.tif"], [scene]) == name
    assert name_of([f"folder/{look}.TIF", "other.tif"], [scene, scene]) == name


def test_another_sensor_is_refused_by_name() -> None:
    scene = PixelScene(planted()[0].pixels, replace(FACTS, sensor="simulated-spaceborne"))
    with pytest.raises(ParameterError, match="simulated-spaceborne") as caught:
        mapped(scene)
    assert "--statistics-of simulated-airborne" in str(caught.value.next_step)


def test_another_sensor_is_mapped_as_a_known_one_where_asked_for(tmp_path: Path) -> None:
    scene = PixelScene(planted()[0].pixels, replace(FACTS, sensor="simulated-spaceborne"))
    own = mapped(planted()[0])
    as_known = map_of([scene], own.model, replace(own.rules, statistics_of="simulated-airborne"), "test")
    assert as_known.id != own.id
    assert as_known._facts(0).statistics_of == "simulated-airborne"
    assert own._facts(0).statistics_of is None
    work = FolderObjects(tmp_path / "work")
    as_known.map_blocks(range(2), work, "as/")
    own.map_blocks(range(2), work, "own/")
    assert work.get(block_key("as/", 1)) == work.get(block_key("own/", 1))


@pytest.mark.parametrize(
    ("shape", "value", "buildings"),
    [((300, 420), 250, 1), ((300, 420), 5, 0), ((300, 420), 0, 0), ((1, 1), 250, 0), ((1, 500), 250, 1)],
    ids=["all building", "no building", "no data", "one pixel", "one row"],
)
def test_saturated_and_tiny_maps_have_all_files(
    shape: tuple[int, int], value: int, buildings: int, tmp_path: Path
) -> None:
    pixels = np.full((*shape, 4), value and 5, dtype=np.uint8)
    pixels[..., 0] = value
    opened, work = mapped(PixelScene(pixels)), FolderObjects(tmp_path / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    item = opened.finish(work, PREFIX, tmp_path / "out")
    assert item["properties"]["stormsight:buildings"] == buildings == len(footprints(tmp_path / "out"))
    assert (item["properties"]["stormsight:mapped_km2"] == 0) == (value == 0 or shape == (1, 1))
