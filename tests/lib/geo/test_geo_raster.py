from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.geo import raster as raster_module
from components.lib.geo.raster import (
    RasterLimits,
    encode_geotiff,
    profile_geotiff,
    read_geotiff,
    write_geotiff,
)

TRANSFORM = Affine(0.5, 0, 592_000.0, 0, -0.5, 5_746_000.0)
REAL_TILE = "SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif"
SHARED = Path(__file__).parents[4] / "shared" / "data"


def a_tile(compress: str | None = "deflate") -> bytes:
    array = np.random.default_rng(3).uniform(0, 92, (4, 64, 48)).astype(np.float32)
    return encode_geotiff(array, transform=TRANSFORM, crs="EPSG:32631", nodata=0, compress=compress)


def read_or_refusal(content: bytes, name: str) -> str | None:
    try:
        read_geotiff(content, name, RasterLimits(max_bytes=2**20))
    except BadDataError as error:
        return error.message
    return None


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    array = np.arange(2 * 5 * 7, dtype=np.uint16).reshape(2, 5, 7)
    write_geotiff(tmp_path / "a.tif", array, transform=TRANSFORM, crs="EPSG:32631", nodata=0)
    raster = read_geotiff((tmp_path / "a.tif").read_bytes(), "a.tif")
    np.testing.assert_array_equal(raster.array, array)
    assert raster.array.dtype == np.uint16
    assert raster.transform == TRANSFORM
    assert raster.crs == "EPSG:32631"
    assert raster.nodata == 0
    assert raster.profile.shape == (5, 7)
    assert raster.profile.resolution == (0.5, 0.5)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_the_header_alone_agrees_with_the_whole_file() -> None:
    content = a_tile()
    assert profile_geotiff(content, "a.tif") == read_geotiff(content, "a.tif").profile


def test_encoding_is_deterministic() -> None:
    assert a_tile() == a_tile()


def test_an_unregistered_crs_is_kept_as_wkt_and_a_missing_one_is_none() -> None:
    array = np.zeros((1, 2, 2), np.uint8)
    odd = encode_geotiff(array, transform=TRANSFORM, crs="+proj=tmerc +lon_0=4.2 +datum=WGS84")
    crs = profile_geotiff(odd, "odd.tif").crs
    assert crs is not None
    assert "Transverse_Mercator" in crs
    bare = encode_geotiff(array, transform=TRANSFORM, crs=None)
    assert profile_geotiff(bare, "bare.tif").crs is None


@pytest.mark.parametrize("compress", [None, "deflate", "lzw"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_bad_data_naming_the_file(share: float, compress: str | None) -> None:
    content = a_tile(compress)
    with pytest.raises(BadDataError, match=r"cut\.tif"):
        read_geotiff(content[: int(len(content) * share)], "cut.tif")


def test_flipped_bytes_never_end_in_anything_but_pixels_or_bad_data() -> None:
    content = a_tile()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for position in rng.integers(4, 400 if rng.random() < 0.5 else len(content), size=6):
            damaged[position] = rng.integers(256)
        refusal = read_or_refusal(bytes(damaged), "flipped.tif")
        assert refusal is None or "flipped.tif" in refusal
        refused += refusal is not None
    assert refused > 100


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: c[:4] + bytes(4000)])
def test_a_refusal_reads_the_same_every_time(damage: Callable[[bytes], bytes]) -> None:
    content = damage(a_tile())
    first = read_or_refusal(content, "a.tif")
    assert first is not None
    assert first == read_or_refusal(content, "a.tif")


def test_noise_behind_a_tiff_signature_is_bad_data() -> None:
    noise = b"II*\x00" + np.random.default_rng(5).bytes(4000)
    with pytest.raises(BadDataError, match=r"noise\.tif"):
        read_geotiff(noise, "noise.tif")


@pytest.mark.parametrize("claim", [{"height": 30_000}, {"count": 65}, {"height": 19_000, "width": 19_000}])
def test_a_decompression_bomb_is_refused_by_its_header(claim: dict[str, int]) -> None:
    """Sparse files claim any size in a few hundred bytes."""
    shape = {"height": 16, "width": 16, "count": 1, **claim}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", dtype="float32", SPARSE_OK=True, **shape):
            pass
        content = bytes(memory.read())
    assert len(content) < 2**20
    with pytest.raises(BadDataError, match=r"bomb\.tif .*limit"):
        profile_geotiff(content, "bomb.tif")


def test_a_bomb_in_the_size_of_one_block_is_refused() -> None:
    with MemoryFile() as memory:
        options = {"tiled": True, "blockxsize": 16_384, "blockysize": 16_384, "SPARSE_OK": True}
        with memory.open(driver="GTiff", dtype="float32", height=8, width=8, count=1, **options):
            pass
        content = bytes(memory.read())
    with pytest.raises(BadDataError, match="limit"):
        read_geotiff(content, "block.tif")


def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.tif"
    write_geotiff(path, np.full((1, 8, 8), 42, np.uint8), transform=TRANSFORM, crs="EPSG:32631")
    return path


def test_a_vrt_dressed_up_as_a_tif_is_refused(tmp_path: Path) -> None:
    vrt = f"""<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1">
      <SimpleSource><SourceFilename>{secret_file(tmp_path)}</SourceFilename><SourceBand>1</SourceBand>
      </SimpleSource></VRTRasterBand></VRTDataset>""".encode()
    with MemoryFile(vrt) as memory, memory.open() as dataset:
        assert dataset.read().max() == 42  # the trick does work on an unguarded reader
    with pytest.raises(BadDataError, match=r"trick\.tif is not a TIFF"):
        read_geotiff(vrt, "trick.tif")
    with pytest.raises(BadDataError, match=r"trick\.tif"):
        read_geotiff(b"II*\x00" + vrt, "trick.tif")


@pytest.mark.parametrize("path", ["/vsicurl/http://localhost:9/a.tif", "/vsizip/a.zip/a.tif", "{secret}"])
def test_a_path_in_place_of_content_is_refused(path: str, tmp_path: Path) -> None:
    content = path.format(secret=secret_file(tmp_path)).encode()
    with pytest.raises(BadDataError, match="is not a TIFF"):
        read_geotiff(content, "path.tif")


def test_a_name_is_only_ever_a_label(tmp_path: Path) -> None:
    raster = read_geotiff(a_tile(), str(secret_file(tmp_path)))
    assert raster.array.shape == (4, 64, 48)


def test_a_reference_to_an_outside_overview_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "overview.tif"
    write_geotiff(path, np.ones((1, 8, 8), np.uint8), transform=TRANSFORM, crs="EPSG:32631")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret_file(tmp_path)))
    with pytest.raises(BadDataError, match="overview file outside itself"):
        read_geotiff(path.read_bytes(), "overview.tif")


def test_a_loop_of_directories_ends() -> None:
    content = bytearray(a_tile(None))
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    struct.pack_into("<I", content, first + 2 + 12 * entries, first)
    refusal = read_or_refusal(bytes(content), "loop.tif")
    assert refusal is None or "loop.tif" in refusal


@pytest.mark.real_data
def test_the_real_optical_tile_is_read() -> None:
    path = SHARED / "spacenet6" / "tile" / REAL_TILE
    if not path.exists():
        pytest.skip(f"{path} is absent")
    raster = read_geotiff(path.read_bytes(), path.name)
    assert raster.array.shape == (3, 900, 900)
    assert raster.array.dtype == np.uint8
    assert raster.crs == "EPSG:32631"
    assert raster.nodata == 0
    assert raster.profile.resolution == pytest.approx((0.4999964762785847, 0.4999964762785847))
    assert (raster.array == 0).all(axis=0).mean() == pytest.approx(0.37, abs=0.01)


def test_a_message_of_gdal_in_other_encodings_prints_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[SimpleNamespace] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    raster_module.hide_undecodable_messages.cache_clear()
    with pytest.raises(BadDataError):
        read_geotiff(b"II*\x00", "a.tif")
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")
    for source, kind in (("rasterio._env.log_error", error), ("ours", error), ("rasterio._env", KeyError())):
        raised: Any = SimpleNamespace(exc_type=type(kind), object=source)
        sys.unraisablehook(raised)
    assert [one.object for one in shown] == ["ours", "rasterio._env"]
    raster_module.hide_undecodable_messages.cache_clear()
