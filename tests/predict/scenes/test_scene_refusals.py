"""Files that cannot be mapped are refused by name, with the next step; one bad file never stops the rest."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.lib.mapping.blocks import Box
from components.lib.nets.config import Modality
from components.predict.scenes.opening import open_scenes
from tests.hostile import ODD_TRANSFORMS
from tests.predict.scenes.files import SENSOR, at, opened, rgb, sar, write
from tests.predict.scenes.simulated import AIRBORNE


def decibels() -> Any:
    return np.where(sar() > 0, sar() - 60, 0).astype(np.float32)


def empty(share: float) -> Any:
    values = sar(200, 200) + 1
    values.reshape(4, -1)[:, : int(share * 200 * 200)] = 0
    return values


BAD: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "bands": (lambda: sar(bands=2), {}, r"has 2 bands of float32; .* has 4 of float32 \(HH, HV, VH, VV\)"),
    "16-bit": (lambda: sar().astype(np.uint16), {}, "has 4 bands of uint16"),
    "complex": (lambda: sar().astype(np.complex64), {}, "has 4 bands of complex64"),
    "no CRS": (sar, {"crs": None}, "no coordinate reference system"),
    "no georeference": (sar, {"transform": Affine.identity()}, "has no georeference"),
    "degrees": (sar, {"crs": "EPSG:4326", "transform": Affine(5e-6, 0, 4.3, 0, -5e-6, 51.9)}, "geographic"),
    "feet": (sar, {"crs": "EPSG:2229"}, "m on the ground"),
    "Web Mercator": (
        sar,
        {"crs": "EPSG:3857", "transform": at(west=480_000, north=6_780_000)},
        "m on the ground",
    ),
    "both sides of the 180th meridian": (
        sar,
        {"crs": "EPSG:32601", "transform": at(west=165_990, north=20)},
        "both sides of the 180th meridian",
    ),
    "a pole": (sar, {"crs": "EPSG:32661", "transform": at(west=1_999_980, north=2_000_020)}, "around a pole"),
    "beyond web maps": (
        sar,
        {"crs": "EPSG:32661", "transform": at(west=2_000_000, north=2_300_000)},
        "web maps end at 85",
    ),
    "rotated": (sar, {"transform": at() @ Affine.rotation(30)}, "is rotated against north"),
    "mirrored": (sar, {"transform": Affine(-0.5, 0, 592_000, 0, -0.5, 5_750_000)}, "is mirrored"),
    "oblong pixels": (sar, {"transform": Affine(0.5, 0, 592_000, 0, -1, 5_750_000)}, "square pixels"),
    "less than a pixel": (lambda: sar(1, 1), {"transform": at(0.06)}, "less than half of one of 0.50 m"),
    "30 m pixels": (sar, {"transform": at(30.0)}, "has pixels of 30 m"),
    "decibels": (decibels, {}, r"has values from -5.* lie beyond"),
    "linear": (lambda: sar() / 1000, {}, "as of linear intensity"),
    "nothing": (lambda: sar() * 0, {}, "nothing but no-data"),
    "almost nothing": (lambda: empty(0.995), {}, "has no data in 99.5%"),
    "scaled values": (sar, {"scale": 0.01}, "declares a scale"),
    "other bands": (sar, {"descriptions": ["HH", "HV", "VH", "RH"]}, "has bands described as"),
}


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform", "ignore:The given matrix is equal")
@pytest.mark.parametrize("case", BAD)
def test_a_file_that_does_not_fit_is_named_with_the_next_step(tmp_path: Path, case: str) -> None:
    pixels, options, message = BAD[case]
    path = write(tmp_path, pixels(), **options)
    with pytest.raises(BadDataError, match=message) as raised:
        opened(path)
    assert raised.value.message.startswith("scene.tif")
    assert raised.value.next_step


def test_a_scene_beside_the_180th_meridian_is_opened(tmp_path: Path) -> None:
    """A unit of its CRS is measured over a kilometre, which crosses the meridian."""
    assert opened(write(tmp_path, sar(), at(west=833_400, north=2_000), crs="EPSG:32660")).grid.width == 120


@pytest.mark.parametrize("number", range(len(ODD_TRANSFORMS)))
def test_a_transform_on_which_nothing_can_lie_is_refused(tmp_path: Path, number: int) -> None:
    path = write(tmp_path, sar(), ODD_TRANSFORMS[number](at()))
    with pytest.raises(BadDataError, match=r"scene\.tif"):
        opened(path)


def test_a_float_picture_is_no_optical_image(tmp_path: Path) -> None:
    path = write(tmp_path, rgb().astype(np.float32))
    with pytest.raises(BadDataError, match=r"has 3 bands of float32; PS-RGB .* has 3 of uint8"):
        opened(path, "optical")


def test_few_values_beyond_the_range_are_clipped_as_in_the_training_store(tmp_path: Path) -> None:
    values = sar()
    values[:, 50, 50] = 130
    assert opened(write(tmp_path, values)).read(Box(50, 50, 51, 51)).tolist() == [[[255] * 4]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<VRTDataset></VRTDataset>", "is not a TIFF"),
        (b"\x89PNG\r\n\x1a\n", "is not a TIFF"),
        (b"II*\x00" + bytes(100), "cannot be decoded"),
    ],
)
def test_other_formats_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(content)
    with pytest.raises(BadDataError, match=message):
        opened(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, sar())
    path.write_bytes(path.read_bytes()[:-2_000])
    with pytest.raises(BadDataError, match=r"scene\.tif cannot be decoded"):
        opened(path)


def test_a_header_that_claims_a_block_beyond_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    profile: dict[str, Any] = {"driver": "GTiff", "count": 4, "height": 64, "width": 64, "dtype": "float32"}
    blocks = {"tiled": True, "blockxsize": 8192, "blockysize": 8192, "SPARSE_OK": True}
    with rasterio.open(path, "w", **profile, **blocks, crs="EPSG:32631", transform=at()):
        pass
    with pytest.raises(BadDataError, match="blocks that would decode to"):
        opened(path)


def test_a_file_that_names_overviews_elsewhere_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, sar())
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/etc/hostname")
    path.with_suffix(".tif.aux.xml").unlink(missing_ok=True)
    with pytest.raises(BadDataError, match="refers to an overview file"):
        opened(path)


def test_sidecar_files_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, sar(), crs=None)
    path.with_suffix(".tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:32631</SRS></PAMDataset>")
    with pytest.raises(BadDataError, match="no coordinate reference system"):
        opened(path)


def test_a_file_that_is_replaced_while_it_is_mapped_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, sar())
    scene = opened(path)
    write(tmp_path, sar(seed=1)[:, :, :60], name="other.tif").replace(path)
    with pytest.raises(BadDataError, match="changed while it was read"):
        scene.read(Box(0, 0, 10, 10))


@pytest.mark.parametrize("sources", [[], [""], ["scene.tif", ""]])
def test_an_empty_name_is_not_the_working_folder(tmp_path: Path, sources: list[str]) -> None:
    with pytest.raises(ParameterError, match="no scene is named"):
        open_scenes(sources, sensor=SENSOR, modality="sar", orientation=0, scratch=tmp_path)


def test_what_is_missing_or_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.tif is missing"):
        opened(tmp_path / "none.tif")
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(MissingInputError, match="no file and no folder"):
        opened(tmp_path / "pipe.tif")
    with pytest.raises(ParameterError, match="control characters"):
        opened(tmp_path / "scene\n.tif")
    with pytest.raises(ParameterError, match="no scene is named"):
        open_scenes([], sensor=SENSOR, modality="sar", orientation=0, scratch=tmp_path)
    with pytest.raises(ParameterError, match="orientation 2"):
        open_scenes(["a"], sensor=SENSOR, modality="sar", orientation=2, scratch=tmp_path)


@pytest.mark.parametrize(
    ("sensor", "modality", "message"),
    [
        (None, "sar", "the sensor of scene.tif is unknown"),
        ("capella-airbourne", "sar", "nearest known one is 'capella-airborne'"),
        ("simulated-spaceborne", "optical", "has no optical images"),
    ],
)
def test_an_unknown_sensor_is_refused_with_the_known_ones(
    tmp_path: Path, sensor: str | None, modality: Modality, message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as raised:
        opened(write(tmp_path, sar()), modality, sensor)
    assert "capella-airborne" in raised.value.next_step


def test_the_side_of_view_of_a_radar_image_must_be_known(tmp_path: Path) -> None:
    path = write(tmp_path, sar())
    with pytest.raises(ParameterError, match="imaged is unknown"):
        open_scenes([str(path)], sensor=SENSOR, modality="sar", orientation=None, scratch=tmp_path)


def release(folder: Path, target: Path, tiles: int = 4) -> list[Path]:
    """Copy tiles of one strip and the summaries into a new folder; return the tiles."""
    names = sorted((folder / "SAR-Intensity").iterdir())
    strip = names[0].name.partition("_tile_")[0]
    chosen = [path for path in names if path.name.startswith(f"{strip}_tile_")][:tiles]
    shutil.copytree(folder / "SummaryData", target / "SummaryData")
    (target / "SAR-Intensity").mkdir()
    return [Path(shutil.copy(path, target / "SAR-Intensity" / path.name)) for path in chosen]


def strips(folder: Path, **options: Any) -> Any:
    request: dict[str, Any] = {"sensor": AIRBORNE, "modality": "sar", "orientation": None} | options
    return open_scenes([str(folder)], scratch=folder.parent / "scratch", **request)


def shifted(path: Path, pixels: float) -> bytes:
    """Return a tile moved to the east."""
    with rasterio.open(path) as dataset:
        moved = dataset.transform @ Affine.translation(pixels, 0)
        target = path.with_name("moved.tif")
        write(target.parent, dataset.read(), moved, target.name, nodata=0)
    content = target.read_bytes()
    target.unlink()
    return content


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.read_bytes()[:3000], "cannot be decoded"),
        (lambda path: b"", "is empty"),
        (lambda path: shifted(path, 0.5), "pixels beside the lattice"),
        (lambda path: shifted(path, 1_000_000), "km from the middle of its strip"),
    ],
)
def test_one_bad_tile_is_left_out_and_told_and_the_rest_goes_on(
    airborne_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], bytes],
    why: str,
) -> None:
    tiles = release(airborne_folder, tmp_path / "release")
    tiles[1].write_bytes(spoil(tiles[1]))
    with caplog.at_level(logging.WARNING):
        (scene,) = strips(tmp_path / "release")
    assert [source.name for source in scene.facts.sources] == [tiles[i].name for i in (0, 2, 3)]
    (told,) = caplog.messages
    assert told.startswith(f"{tiles[1].name} is left out: ")
    assert why in told


def test_a_folder_of_bad_tiles_alone_is_refused(airborne_folder: Path, tmp_path: Path) -> None:
    tiles = release(airborne_folder, tmp_path / "release")
    for tile in tiles:
        tile.write_bytes(b"damaged")
    with pytest.raises(BadDataError, match="is not a TIFF"):
        strips(tmp_path / "release")


def test_links_out_of_a_folder_and_odd_names_are_left_out(
    airborne_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiles = release(airborne_folder, tmp_path / "release")
    outside = tmp_path / tiles[0].name
    tiles[0].replace(outside)
    tiles[0].symlink_to(outside)
    (tiles[0].parent / "odd\n.tif").write_bytes(b"")
    (tiles[0].parent / "nowhere.tif").symlink_to("none")
    (scene,) = strips(tmp_path / "release")
    assert [source.name for source in scene.facts.sources] == [tile.name for tile in tiles[1:]]
    assert any("link out of its folder" in message for message in caplog.messages)
    assert any("control characters" in message for message in caplog.messages)
    assert any("nowhere.tif is left out: it is no regular file" in message for message in caplog.messages)


def test_a_missing_shard_is_no_bad_tile(airborne_partition: Path, tmp_path: Path) -> None:
    shutil.copytree(airborne_partition, tmp_path / "p00")
    for shard in (tmp_path / "p00").rglob("*.tar"):
        shard.unlink()
    with pytest.raises(MissingInputError, match=r"shard-000\.tar is missing"):
        strips(tmp_path / "p00", sensor=None)


def test_a_tile_that_is_replaced_while_it_is_mapped_is_named(airborne_folder: Path, tmp_path: Path) -> None:
    tiles = release(airborne_folder, tmp_path / "release")
    (scene,) = strips(tmp_path / "release")
    tiles[0].write_bytes(tiles[1].read_bytes())
    with pytest.raises(BadDataError, match="changed while it was read"):
        scene.read(Box(0, 0, scene.grid.height, scene.grid.width))


def test_a_strip_without_a_flag_needs_the_orientation(airborne_folder: Path, tmp_path: Path) -> None:
    release(airborne_folder, tmp_path / "release")
    shutil.rmtree(tmp_path / "release" / "SummaryData")
    with pytest.raises(ParameterError, match="there is no file of flags"):
        strips(tmp_path / "release")
    (scene,) = strips(tmp_path / "release", orientation=1)
    assert scene.facts.orientation == 1


def test_places_without_such_tiles_are_named(
    airborne_folder: Path, airborne_partition: Path, spaceborne_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (tmp_path / "photos", {}, "holds no SAR-Intensity tiles of SpaceNet 6"),
        (spaceborne_folder, {"modality": "optical"}, "holds no PS-RGB tiles"),
        (
            airborne_partition,
            {"sensor": "simulated-spaceborne"},
            "holds no sar tiles of simulated-spaceborne",
        ),
    ]
    for folder, options, message in cases:
        with pytest.raises(StormsightError, match=message):
            strips(folder, **options)
    with pytest.raises(ParameterError, match=r"the sensor of .* is unknown"):
        strips(tmp_path / "photos", sensor=None)
    with pytest.raises(BadDataError, match="has 4 bands"):
        strips(airborne_folder, sensor="simulated-spaceborne")


def test_names_of_a_data_set_tell_its_real_sensor(airborne_folder: Path, tmp_path: Path) -> None:
    (path, *_) = release(airborne_folder, tmp_path / "release")
    (scene,) = strips(tmp_path / "release", sensor=None)
    assert scene.facts.sensor == "capella-airborne"
    (one,) = strips(path, sensor=None)
    assert one.facts.sensor == "capella-airborne"
    assert one.facts.orientation == scene.facts.orientation
    with pytest.raises(ParameterError, match="is a SAR-Intensity image"):
        strips(path, modality="optical")
