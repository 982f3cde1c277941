from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from components.contract.errors import BadDataError, MissingInputError
from components.lib.geo.raster import encode_geotiff
from components.lib.osm import terms
from components.lib.roads.tracing import reading
from components.lib.roads.tracing.reading import read_mask
from components.lib.roads.tracing.trace import trace_roads
from tests.lib.roads.tracing.masks import UTM, cross, mask_of, ring, tee

TRANSFORM = Affine(0.5, 0.0, 500_000.0, 0.0, -0.5, 4_000_000.0)


def written(path: Path, values: np.ndarray, *, scale: float = 1.0, **profile: Any) -> Path:
    height, width = values.shape
    given = {"crs": UTM, "transform": TRANSFORM, "count": 1, "dtype": values.dtype, **profile}
    with rasterio.open(path, "w", driver="GTiff", height=height, width=width, **given) as raster:
        raster.write(np.broadcast_to(values, (given["count"], height, width)))
        raster.scales = (scale,) * given["count"]
    return path


def test_a_mask_is_all_but_zero(tmp_path: Path) -> None:
    mask = read_mask(written(tmp_path / "m.tif", cross() * np.uint8(255)))
    assert np.array_equal(mask.road, cross())
    assert (mask.crs, mask.transform) == (UTM, mask_of(cross()).transform)


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_floating_numbers_are_probabilities(tmp_path: Path, threshold: float | None) -> None:
    values = np.where(cross(), 0.31, 0.3).astype(np.float32)
    values[0, 0] = np.nan
    assert np.array_equal(read_mask(written(tmp_path / "p.tif", values), threshold).road[1:], cross()[1:])
    assert not read_mask(tmp_path / "p.tif", 0.5).road.any()


def test_the_scale_and_no_data_of_a_published_map_are_followed(tmp_path: Path) -> None:
    values = np.where(cross(), 80, 70).astype(np.uint8)  # 0.31 and 0.28
    values[:100] = 255
    mask = read_mask(written(tmp_path / "probability.tif", values, nodata=255, scale=1 / 254))
    assert np.array_equal(mask.road[100:], cross()[100:])
    assert not mask.road[:100].any()


def test_a_threshold_is_in_the_unit_of_the_values(tmp_path: Path) -> None:
    path = written(tmp_path / "three.tif", np.where(cross(), 255, np.where(tee(), 127, 0)).astype(np.uint8))
    assert np.array_equal(read_mask(path, 127.0).road, cross())
    assert np.array_equal(read_mask(path).road, cross() | tee())


@pytest.mark.parametrize(
    ("values", "threshold", "profile", "warned"),
    [
        ((0, 127, 255), None, {}, True),
        ((0, 127), None, {}, True),
        ((0, 127, 255), 127.0, {}, False),
        ((0, 127, 255), None, {"nodata": 127}, False),
        ((0, 127, 254), None, {}, False),
        ((0, 255), None, {}, False),
    ],
)
def test_ignored_ground_of_an_osm_mask_that_is_taken_for_road_is_told(
    values: tuple[int, ...],
    threshold: float | None,
    profile: dict[str, Any],
    warned: bool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pixels = np.tile(np.repeat(np.array(values, dtype=np.uint8), 8), (32, 1))
    read_mask(written(tmp_path / "osm.tif", pixels, **profile), threshold)
    assert ("--threshold 127" in caplog.text) == warned


def test_the_values_of_an_osm_mask_are_those_of_the_stage() -> None:
    ours = (reading.BACKGROUND, reading.IGNORED, reading.ROAD)
    assert ours == (terms.BACKGROUND, terms.IGNORE, terms.OBJECT)


TILINGS: list[dict[str, Any]] = [
    {"tiled": False, "blockysize": 1},
    {"tiled": False, "blockysize": 200},
    {"tiled": True, "blockxsize": 16, "blockysize": 16},
    {"tiled": True, "blockxsize": 128, "blockysize": 64},
]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("tiling", TILINGS)
def test_the_graph_is_the_same_for_any_tiling_and_order_of_windows(
    tmp_path: Path, tiling: dict[str, Any], order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def windows(raster: Any) -> list[Window]:
        return [window for _, window in raster.block_windows(1)][::order]

    monkeypatch.setattr(reading, "_windows", windows)
    road = tee() | ring()
    found = trace_roads(read_mask(written(tmp_path / "m.tif", road.astype(np.uint8), **tiling)))
    whole = trace_roads(mask_of(road))
    assert [shape.wkt for shape in found.graph.shapes] == [shape.wkt for shape in whole.graph.shapes]
    assert np.array_equal(found.width_m, whole.width_m)


@pytest.mark.parametrize(
    ("profile", "value", "why"),
    [
        ({"crs": None}, 1, "states no CRS"),
        ({"count": 3}, 1, "has 3 bands"),
        ({"nodata": 7}, 7, "has no data at all"),
        ({"dtype": "complex64"}, 1, "pixels of type complex64"),
        ({"dtype": "float32"}, 3.5, "no probabilities"),
        ({"dtype": "float32"}, np.nan, "has no data at all"),
        ({"transform": Affine(0.0, 0.0, 1.0, 0.0, 0.0, 1.0)}, 1, "unusable transform"),
    ],
)
def test_what_cannot_be_traced_is_refused_by_its_name(
    tmp_path: Path, profile: dict[str, Any], value: float, why: str
) -> None:
    values = np.full((20, 20), value, dtype=profile.get("dtype", "uint8"))
    path = written(tmp_path / "bad.tif", values, **profile)
    with pytest.raises(BadDataError, match=why) as caught:
        read_mask(path)
    assert str(path) in str(caught.value)


def test_an_offset_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.tif", cross().astype(np.uint8))
    with rasterio.open(path, "r+") as raster:
        raster.offsets = (1.0,)
    with pytest.raises(BadDataError, match="an offset"):
        read_mask(path)


def test_files_that_are_no_rasters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.tif"):
        read_mask(tmp_path / "none.tif")
    (tmp_path / "text.tif").write_text("a text")
    with pytest.raises(BadDataError, match="is no GeoTIFF"):
        read_mask(tmp_path / "text.tif")
    noise = np.random.default_rng(0).integers(0, 255, (1, 300, 300), dtype=np.uint8)
    content = bytearray(encode_geotiff(noise, transform=TRANSFORM, crs=UTM))
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    (tmp_path / "damaged.tif").write_bytes(content)
    with pytest.raises(BadDataError, match="cannot be decoded"):
        read_mask(tmp_path / "damaged.tif")
