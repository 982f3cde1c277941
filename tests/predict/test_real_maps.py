"""Real files mapped end to end: the tile lies where its file says, other products are refused by name.

The network is untrained: what is asserted is the path, not the buildings.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rasterio.features
import shapely
import torch
from rio_cogeo.cogeo import cog_validate

from components.contract.errors import StormsightError
from components.lib.config.scoring import ScoringSettings
from components.lib.mapping.levels import from_published
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.predict.local import map_all
from components.predict.outputs import facts as names
from components.predict.parameters import MapParameters
from components.predict.request import MapRequest
from components.predict.rules import MapRules
from tests.stac import validate

pytestmark = pytest.mark.real_data

SENSOR = "capella-airborne"
TILE = "spacenet6/tile/SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif"
VALIDATOR = Path(sys.executable).with_name("geoparquet-validator")
TENTH_PX = 0.1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained optical network."""
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        modality="optical",
        sensors=(SENSOR,),
    )
    folder = tmp_path_factory.mktemp("model")
    save_bundle(folder, build_network(config).eval(), {"data": "none"})
    return folder


def mapped(source: Path, model: Path, folder: Path, *, sensor: str | None = None) -> Path:
    """Map one scene; return the folder of the map's files."""
    parameters = MapParameters(
        window_px=256, overlap_px=32, block_px=512, outlines="raw", gpkg=True, device="cpu"
    )
    request = MapRequest(
        sources=(str(source),),
        model=str(model),
        rules=MapRules(parameters, ScoringSettings(min_area_px=20)),
        sensor=sensor,
        scratch=folder / "scratch",
    )
    (summary,) = map_all([request], str(folder / "maps"))
    return Path(summary.page).parent


@pytest.fixture(scope="module")
def tile_map(real_data: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The map of the real tile."""
    return mapped(real_data / TILE, model, tmp_path_factory.mktemp("tile"))


def levels_of(folder: Path) -> npt.NDArray[np.uint8]:
    with rasterio.open(folder / names.PROBABILITY) as raster:
        found: npt.NDArray[np.uint8] = from_published(raster.read(1))
    return found


def test_the_raster_lies_where_the_tile_lies_and_keeps_its_no_data(real_data: Path, tile_map: Path) -> None:
    with rasterio.open(real_data / TILE) as tile, rasterio.open(tile_map / names.PROBABILITY) as raster:
        assert (raster.crs, raster.shape, raster.nodata) == (tile.crs, tile.shape, 255)
        for pixel in ((0, 0), (900, 0), (0, 900), (900, 900), (123, 456)):
            x, y = ~tile.transform @ (raster.transform @ pixel)
            assert (x, y) == pytest.approx(pixel, abs=TENTH_PX)
        data = tile.read().any(axis=0)
    np.testing.assert_array_equal(levels_of(tile_map) != 0, data)
    assert 0.37 < 1 - data.mean() < 0.38


def test_footprints_are_the_pixels_above_the_threshold(real_data: Path, tile_map: Path) -> None:
    frame = geopandas.read_parquet(tile_map / names.FOOTPRINTS)
    with rasterio.open(real_data / TILE) as tile:
        transform, crs, shape = tile.transform, tile.crs, tile.shape
    assert frame.crs == crs
    assert len(frame) > 10
    columns, rows = ~transform @ shapely.get_coordinates(frame.geometry.to_numpy()).T
    for corners in (columns, rows):
        assert np.abs(corners - np.round(corners)).max() < TENTH_PX
    drawn = rasterio.features.rasterize(frame.geometry, shape, transform=transform)
    levels = levels_of(tile_map)
    assert levels[drawn == 1].min() >= 1 + 254 * 0.5
    assert np.count_nonzero(drawn) == pytest.approx(frame["area_m2"].sum() / 0.5**2, rel=1e-3)
    package = geopandas.read_file(tile_map / names.GEOPACKAGE)
    assert sorted(package["id"]) == sorted(frame["id"])


def test_validators_find_nothing(tile_map: Path) -> None:
    assert cog_validate(tile_map / names.PROBABILITY, strict=True) == (True, [], [])
    item = json.loads((tile_map.parent / names.ITEM).read_text())
    assert validate(item) == []
    assert item["properties"]["instruments"] == [SENSOR]
    assert not item["properties"]["stormsight:simulated"]
    assert item["properties"]["datetime"].startswith("2019-08-22T07:06:10")
    command = [str(VALIDATOR), "check", str(tile_map / names.FOOTPRINTS)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
    assert "FAIL" not in said.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("spacenet6/crops/sar_masked.tif", "bands"),
        ("spacenet6/crops/sar_hh.tif", "complex"),
        ("spacenet4_atlanta/sample_geotiff.tif", "1 band of uint16"),
    ],
)
def test_another_product_is_refused_by_the_name_of_its_file(
    name: str, reason: str, real_data: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(StormsightError) as caught:
        mapped(real_data / name, model, tmp_path, sensor=SENSOR)
    assert Path(name).name in caught.value.message
    assert reason in caught.value.message
    assert not (tmp_path / "maps" / "items").exists()
