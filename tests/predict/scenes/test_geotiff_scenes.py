"""Scenes in one file: windows of it are parts of the whole, on the ground where the file says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from components.lib.datasets.scaling import scale_sar
from components.lib.datasets.sensors import get_sensor
from components.lib.geo.bands import valid_pixels
from components.lib.geo.grid import GRID_M, grid_of
from components.lib.geo.raster import profile_of, read_geotiff
from components.lib.geo.resample import resample
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene
from components.predict.scenes import geotiff
from tests.predict.scenes.files import NORTH, WEST, at, opened, rgb, sar, write

TILE = "SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif"


def whole(scene: Scene) -> npt.NDArray[np.uint8]:
    return scene.read(Box(0, 0, scene.grid.height, scene.grid.width))


def as_prepared(path: Path) -> npt.NDArray[np.uint8]:
    """Return a SAR file as the training store would hold it."""
    raster = read_geotiff(path.read_bytes(), path.name)
    grid = grid_of(raster.profile).resized()
    values, valid = resample(raster.array.astype(np.float32), valid_pixels(raster), grid.height, grid.width)
    stored: npt.NDArray[np.uint8] = scale_sar(values, valid, get_sensor("capella-airborne").scale_limits)
    return stored


@pytest.mark.parametrize("gsd", [GRID_M, 0.5, 0.37, 1.0, 4.5])
def test_windows_are_parts_of_the_whole_in_every_bit(tmp_path: Path, gsd: float) -> None:
    path = write(tmp_path, sar(), at(gsd))
    scene = opened(path)
    expected = as_prepared(path)
    assert (scene.grid.height, scene.grid.width) == expected.shape[:2]
    assert (scene.grid.x_left_m, scene.grid.y_top_m) == (WEST, NORTH)
    assert scene.grid.gsd_m == (gsd if abs(gsd / GRID_M - 1) < 1e-3 else GRID_M)
    np.testing.assert_array_equal(whole(scene), expected)
    rng = np.random.default_rng(1)
    for _ in range(20):
        top, left = int(rng.integers(-30, scene.grid.height)), int(rng.integers(-30, scene.grid.width))
        box = Box(top, left, top + int(rng.integers(1, 80)), left + int(rng.integers(1, 80)))
        around = np.pad(expected, ((30, 80), (30, 80), (0, 0)))
        np.testing.assert_array_equal(
            scene.read(box), around[top + 30 : box.bottom + 30, left + 30 : box.right + 30]
        )


def test_more_rows_than_are_converted_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, sar(), at(0.8))
    expected = whole(opened(path))
    monkeypatch.setattr("components.predict.scenes.reading._DECODED_PX", 4_000)
    monkeypatch.setattr("components.predict.scenes.reading._CONVERTED_PX", 1_000)
    np.testing.assert_array_equal(whole(opened(path)), expected)


@pytest.mark.parametrize("gsd", [GRID_M, 0.8])
def test_a_south_up_file_is_the_same_scene(tmp_path: Path, gsd: float) -> None:
    values = sar()
    upright = opened(write(tmp_path, values, at(gsd), "upright.tif"))
    bottom = NORTH - values.shape[1] * gsd
    turned = opened(
        write(tmp_path, values[:, ::-1].copy(), Affine(gsd, 0, WEST, 0, gsd, bottom), "turned.tif")
    )
    assert turned.grid.y_top_m == pytest.approx(upright.grid.y_top_m, abs=1e-6)
    np.testing.assert_array_equal(whole(turned), whole(upright))
    box = Box(11, 5, 40, 77)
    np.testing.assert_array_equal(turned.read(box), upright.read(box))


def test_optical_bands_take_the_places_that_the_networks_know(tmp_path: Path) -> None:
    picture = rgb()
    scene = opened(write(tmp_path, picture), "optical")
    red, green, blue = picture
    np.testing.assert_array_equal(whole(scene), np.stack([blue, red, red, green], axis=-1))
    assert scene.facts.orientation == 0
    assert scene.facts.acquired is None


def test_bands_in_another_order_are_told_apart_by_their_names(tmp_path: Path) -> None:
    values = sar()
    named = write(tmp_path, values[::-1].copy(), name="named.tif", descriptions=["VV", "VH", "HV", "HH"])
    np.testing.assert_array_equal(whole(opened(named)), whole(opened(write(tmp_path, values))))


def test_threads_share_a_scene(tmp_path: Path) -> None:
    scene = opened(write(tmp_path, sar(), at(0.8)))
    expected = whole(scene)
    ends = Box(0, 0, *expected.shape[:2])
    boxes = [Box(top, left, top + 20, left + 20) for top in range(0, 140, 7) for left in range(0, 190, 19)]
    with ThreadPoolExecutor(4) as pool:
        for box, pixels in zip(boxes, pool.map(scene.read, boxes), strict=True):
            inner = box.shared(ends)
            np.testing.assert_array_equal(pixels[inner.within(box)], expected[inner.within(ends)])


def test_a_scene_larger_than_memory_is_opened_and_read_by_windows(tmp_path: Path) -> None:
    path, side = tmp_path / "large.tif", 100_000
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=3,
        dtype="uint8",
        crs="EPSG:32631",
        transform=at(),
        tiled=True,
        blockxsize=256,
        blockysize=256,
        SPARSE_OK=True,
        compress="deflate",
    ) as dataset:
        picture = rgb(256, 256)
        for box in geotiff._sample(profile_of(dataset, "large.tif"))[::17]:
            top, left = box.top // 256 * 256, box.left // 256 * 256
            dataset.write(picture, window=Window(left, top, 256, 256))
            last = Box(top, left, top + 256, left + 256)
    scene = opened(path, "optical")
    assert scene.grid.height * scene.grid.width * 4 == 40_000_000_000
    np.testing.assert_array_equal(scene.read(last)[..., 1], picture[0])
    assert not scene.read(Box(0, 0, 100, 100)).any()


def test_a_large_file_is_judged_by_windows_spread_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geotiff, "WHOLE_PX", 100)
    values = sar(600, 700)
    values[:, :, :350] = 0
    scene = opened(write(tmp_path, values))
    assert isinstance(scene, geotiff.GeoTiffScene)
    assert scene.survey.sampled
    assert scene.survey.pixels == 256 * 32 * 32
    assert scene.survey.nodata_share == pytest.approx(0.5 + 0.5 / 8, abs=0.05)


@pytest.mark.real_data
def test_the_real_tile_lies_where_its_file_says(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "spacenet6" / "tile" / TILE
    scene = opened(path, "optical", sensor=None)
    raster = read_geotiff(path.read_bytes(), TILE)
    catalogue = (real_data / "spacenet6" / "catalogue" / "tiles.csv").read_text().splitlines()
    columns = catalogue[0].split(",")
    (row,) = [line.split(",") for line in catalogue if "20190822070610_20190822070846_tile_3721," in line]
    west, north = (float(row[columns.index(name)]) for name in ("x_left_m", "y_top_m"))
    assert abs(scene.grid.x_left_m - west) < 0.1 * GRID_M
    assert abs(scene.grid.y_top_m - north) < 0.1 * GRID_M
    for pixel in ((0, 0), (900, 900), (123, 456)):
        x, y = scene.grid.transform @ pixel
        assert (x, y) == pytest.approx(raster.transform @ pixel, abs=0.1 * GRID_M)
    np.testing.assert_array_equal(whole(scene)[..., :3], np.moveaxis(raster.array[[2, 0, 0]], 0, -1))
    assert (~whole(scene).any(axis=-1)).mean() == pytest.approx(0.3719, abs=1e-4)
    assert scene.facts.sensor == "capella-airborne"
    assert not scene.facts.simulated
    assert scene.facts.acquired == (
        datetime(2019, 8, 22, 7, 6, 10, tzinfo=UTC),
        datetime(2019, 8, 22, 7, 8, 46, tzinfo=UTC),
    )


@pytest.mark.real_data
def test_a_real_crop_is_a_scene_once_it_is_on_the_releases_scale(real_data: Path, tmp_path: Path) -> None:
    crop = read_geotiff((real_data / "spacenet6" / "crops" / "sar_masked.tif").read_bytes(), "crop")
    data = np.isfinite(crop.array).all(axis=0) & (crop.array != 0).any(axis=0)
    # Decibels moved by a constant into the range of SAR-Intensity; it stands for nothing physical.
    path = write(tmp_path, np.where(data, crop.array + 40, 0).astype(np.float32), crop.transform)
    scene = opened(path)
    assert (scene.grid.height, scene.grid.width) == (1800, 1800)
    np.testing.assert_array_equal(whole(scene)[4::9, 4::9].any(axis=-1), data)
    np.testing.assert_array_equal(whole(scene), as_prepared(path))


@pytest.mark.real_data
def test_the_real_atlanta_tile_is_a_scene_once_it_is_an_8_bit_picture(
    real_data: Path, tmp_path: Path
) -> None:
    content = (real_data / "spacenet4_atlanta" / "sample_geotiff.tif").read_bytes()
    tile = read_geotiff(content, "tile")
    low, high = np.percentile(tile.array, (1, 99))
    grey = np.clip((tile.array - low) / (high - low) * 254 + 1, 1, 255).astype(np.uint8)
    path = write(tmp_path, np.repeat(grey, 3, axis=0), tile.transform, crs=tile.crs)
    scene = opened(path, "optical")
    assert scene.facts.crs == "EPSG:32616"
    assert (scene.grid.x_left_m, scene.grid.y_top_m, scene.grid.gsd_m) == (733601.0, 3725139.0, 0.5)
    np.testing.assert_array_equal(whole(scene)[..., 3], grey[0])
