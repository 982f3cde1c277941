"""Strips of tiles: pixels are those of the training store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.geo.grid import Grid
from components.lib.geo.orientation import align
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene
from components.lib.nets.config import Modality
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.predict.scenes.opening import open_scenes
from components.prepare.pairing import pair
from components.prepare.parameters import PrepareParameters, SplitParameters
from components.prepare.tiles import PreparedTile, prepare_tile
from components.simulation.release import ReleaseFile
from tests.predict.scenes.simulated import AIRBORNE, write_partition

PREPARE = PrepareParameters(
    min_area_m2=20.0,
    edge_px=2,
    contact_px=9,
    split=SplitParameters(west_m=591_550.0, east_m=596_250.0, groups=5, selection_group=3),
)


def opened(
    source: Path,
    scratch: Path,
    *,
    sensor: str | None = None,
    modality: Modality = "sar",
    orientation: int | None = None,
) -> list[Scene]:
    return open_scenes(
        [str(source)], sensor=sensor, modality=modality, orientation=orientation, scratch=scratch
    )


def prepared(raw: Path) -> list[tuple[str, int, PreparedTile]]:
    """Return strip, orientation and prepared arrays of every tile of a partition."""
    with ShardReader(raw) as reader:
        sources = pair(read_manifest(raw), set(), reader.read).tiles
        return [(one.strip, one.orientation, prepare_tile(one, reader.read, PREPARE)) for one in sources]


def box_of(tile: Grid, scene: Grid) -> tuple[Box, float]:
    """Return a tile's pixels of the scene's grid, and how far they lie beside the tile's ground, pixels."""
    rows = (scene.y_top_m - tile.y_top_m) / scene.gsd_m
    columns = (tile.x_left_m - scene.x_left_m) / scene.gsd_m
    top, left = round(rows), round(columns)
    box = Box(top, left, top + tile.height, left + tile.width)
    return box, max(abs(rows - top), abs(columns - left))


@pytest.mark.parametrize("modality", ["sar", "optical"])
def test_pixels_are_those_of_the_training_store_before_its_turn(
    airborne_partition: Path, tmp_path: Path, modality: Modality
) -> None:
    scenes = {scene.facts.name: scene for scene in opened(airborne_partition, tmp_path, modality=modality)}
    tiles = prepared(airborne_partition)
    assert {strip for strip, _, _ in tiles} == set(scenes)
    for strip, orientation, tile in tiles:
        scene = scenes[strip]
        box, beside = box_of(tile.grid, scene.grid)
        stored = tile.sar if modality == "sar" else tile.optical
        assert stored is not None
        assert beside < 0.1
        assert scene.facts.orientation == orientation
        np.testing.assert_array_equal(scene.read(box), align(stored, orientation))


def test_coarser_pixels_are_resampled_as_in_the_training_store(
    spaceborne: list[ReleaseFile], tmp_path: Path
) -> None:
    raw = tmp_path / "p00"
    write_partition(spaceborne, raw, "test-spaceborne", "simulated-spaceborne")
    scenes = {scene.facts.name: scene for scene in opened(raw, tmp_path)}
    for strip, orientation, tile in prepared(raw):
        box, beside = box_of(tile.grid, scenes[strip].grid)
        assert beside < 0.1
        assert isinstance(tile.sar, np.ndarray)
        np.testing.assert_array_equal(scenes[strip].read(box), align(tile.sar, orientation))


def test_folder_and_shards_give_the_same_scenes(
    airborne_folder: Path, airborne_partition: Path, tmp_path: Path
) -> None:
    loose = opened(airborne_folder, tmp_path, sensor="simulated-airborne")
    packed = opened(airborne_partition, tmp_path)
    assert [scene.facts for scene in loose] == [scene.facts for scene in packed]
    assert [scene.grid for scene in loose] == [scene.grid for scene in packed]
    for one, other in zip(loose, packed, strict=True):
        box = Box(0, 0, one.grid.height, 700)
        np.testing.assert_array_equal(one.read(box), other.read(box))


def test_facts_tell_time_sensor_and_files(airborne_folder: Path, tmp_path: Path) -> None:
    scene, *_ = opened(airborne_folder, tmp_path, sensor="simulated-airborne")
    facts = scene.facts
    assert facts.simulated
    assert facts.crs == "EPSG:32631"
    assert facts.acquired is not None
    begin, end = facts.acquired
    assert facts.name == f"{begin:%Y%m%d%H%M%S}_{end:%Y%m%d%H%M%S}"
    assert all(REHEARSAL.parse(source.name).strip == facts.name for source in facts.sources)
    assert all(len(source.sha256) == 64 for source in facts.sources)


def test_any_window_is_a_part_of_the_whole_and_beyond_its_ends_is_nothing(
    airborne_folder: Path, tmp_path: Path
) -> None:
    scene, *_ = opened(airborne_folder, tmp_path, sensor="simulated-airborne")
    height = scene.grid.height
    whole: npt.NDArray[np.uint8] = scene.read(Box(0, 0, height, 600))
    assert whole.any()
    beyond = scene.read(Box(-50, -20, height + 30, 300))
    np.testing.assert_array_equal(beyond[50:-30, 20:], whole[:, :300])
    assert not beyond[:50].any()
    assert not beyond[:, :20].any()
    assert not beyond[-30:].any()
    np.testing.assert_array_equal(scene.read(Box(7, 100, 120, 333)), whole[7:120, 100:333])
    assert not scene.read(Box(0, scene.grid.width, 10, scene.grid.width + 10)).any()


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        ({"sensor": AIRBORNE}, None),
        ({"sensor": "sentinel-9"}, ParameterError),
        ({}, BadDataError),
        ([AIRBORNE], BadDataError),
    ],
)
def test_the_marker_of_a_delivery_tells_the_sensor(
    airborne_folder: Path, tmp_path: Path, marker: object, error: type[Exception] | None
) -> None:
    folder = tmp_path / "delivery"
    shutil.copytree(airborne_folder, folder)
    (folder / "COMPLETE.json").write_text(json.dumps(marker))
    tile = next(folder.rglob("*SAR-Intensity*.tif"))
    if error is None:
        for source in (folder, tile.parent, tile):
            facts = [scene.facts for scene in opened(source, tmp_path, orientation=0)]
            assert {(about.sensor, about.simulated) for about in facts} == {(AIRBORNE, True)}
        return
    with pytest.raises(error):
        opened(folder, tmp_path)
