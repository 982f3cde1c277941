"""Every kind of bad tile: quarantined by the right rule, with a reason in words, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.validate.conftest import (
    SIDE_PX,
    STRIPS,
    Listed,
    Release,
    Result,
    Runner,
    geojson,
    grid,
    name_of,
    optical_pixels,
    sar_pixels,
    square,
    tif,
)

BAD = 2
"""The tile that a test damages, of strip 0."""


def only_the_bad_tile(result: Result) -> Result:
    assert set(result.quarantine["image_id"]) == {f"{STRIPS[0]}_tile_{BAD}"}
    assert result.verdict["quarantined"] == 1
    assert all(f"tile_{BAD}" in reason for reason in result.quarantine["reason"])
    return result


def run_with_sar(release: Release, run: Runner, content: bytes) -> Result:
    release.put("SAR-Intensity", BAD, content)
    return only_the_bad_tile(run(release))


def test_a_truncated_geotiff(release: Release, run_validate: Runner) -> None:
    content = tif(sar_pixels(), grid(BAD))
    result = run_with_sar(release, run_validate, content[: len(content) // 2])
    assert result.rules(BAD) == {"sar_readable"}
    assert "cannot be decoded" in result.reason("sar_readable")


def test_corrupt_geotiff_bytes(release: Release, run_validate: Runner) -> None:
    content = b"II*\x00" + np.random.default_rng(1).bytes(5000)
    assert run_with_sar(release, run_validate, content).rules(BAD) == {"sar_readable"}


@pytest.mark.parametrize(
    "content",
    [
        b'<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1">'
        b"<SimpleSource><SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
        b"/vsicurl/http://localhost:9/a.tif",
    ],
    ids=["vrt", "vsi path"],
)
def test_a_gdal_trick_dressed_up_as_a_tif(content: bytes, release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, content)
    assert result.rules(BAD) == {"sar_readable"}
    assert "is not a TIFF" in result.reason("sar_readable")


def test_a_wrong_crs(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(sar_pixels(), grid(BAD), "EPSG:32632"))
    assert result.rules(BAD) == {"sar_crs"}
    assert result.reason("sar_crs").endswith("sar_crs: CRS is EPSG:32632, allowed is EPSG:32631")


def test_no_crs(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(sar_pixels(), grid(BAD), None))
    assert "CRS is none" in result.reason("sar_crs")


def test_a_wrong_band_count(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(sar_pixels(bands=3), grid(BAD)))
    assert result.rules(BAD) == {"sar_bands"}
    assert "number of bands is 3, allowed is 4" in result.reason("sar_bands")


def test_a_wrong_dtype(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(sar_pixels().astype(np.uint16), grid(BAD)))
    assert result.rules(BAD) == {"sar_dtype"}
    assert "pixel type is uint16, allowed is float32" in result.reason("sar_dtype")


def test_an_all_nodata_tile(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(np.zeros_like(sar_pixels()), grid(BAD)))
    assert result.rules(BAD) == {"sar_nodata"}
    assert "share of no-data pixels is 1, allowed is 0 to 0.95" in result.reason("sar_nodata")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(value: float, release: Release, run_validate: Runner) -> None:
    pixels = sar_pixels()
    pixels[1, 20, 20:23] = value
    result = run_with_sar(release, run_validate, tif(pixels, grid(BAD)))
    assert result.rules(BAD) == {"sar_nan"}
    assert "NaN or infinite values is 3, allowed is 0" in result.reason("sar_nan")


@pytest.mark.parametrize(("value", "words"), [(-11.2, "at least 0"), (100.5, "at most 100")])
def test_values_out_of_the_sensors_range(
    value: float, words: str, release: Release, run_validate: Runner
) -> None:
    pixels = sar_pixels()
    pixels[0, 20, 20] = value
    result = run_with_sar(release, run_validate, tif(pixels, grid(BAD)))
    assert result.rules(BAD) == {"sar_range"}
    assert result.reason("sar_range").endswith(f"value is {value:g}, allowed is {words}")


def test_a_dead_band(release: Release, run_validate: Runner) -> None:
    pixels = sar_pixels()
    pixels[3, :, 6:] = 40
    assert run_with_sar(release, run_validate, tif(pixels, grid(BAD))).rules(BAD) == {"sar_alive"}


def test_a_wrong_pixel_size(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(sar_pixels(), grid(BAD, 0.55)))
    assert "sar_resolution" in result.rules(BAD)


def test_a_wrong_shape(release: Release, run_validate: Runner) -> None:
    result = run_with_sar(release, run_validate, tif(sar_pixels()[:, :30], grid(BAD)))
    assert result.rules(BAD) == {"sar_shape", "pair_shape", "pair_grid"}
    assert f"rows is 30, allowed is {SIDE_PX}" in result.reason("sar_shape")


def test_a_south_up_grid(release: Release, run_validate: Runner) -> None:
    upright = grid(BAD)
    flipped = type(upright)(upright.a, 0, upright.c, 0, -upright.e, upright.f + SIDE_PX * upright.e)
    release.put("PS-RGB", BAD, tif(optical_pixels(), flipped))
    assert "sar_north_up" in run_with_sar(release, run_validate, tif(sar_pixels(), flipped)).rules(BAD)


def test_a_checksum_mismatch(release: Release, run_validate: Runner) -> None:
    release.files[name_of("SAR-Intensity", BAD)].sha256 = "0" * 64
    result = only_the_bad_tile(run_validate(release))
    assert result.rules(BAD) == {"sar_checksum"}
    assert "checksum" in result.reason("sar_checksum")


def test_a_tile_without_sar(release: Release, run_validate: Runner) -> None:
    release.drop("SAR-Intensity", BAD)
    assert only_the_bad_tile(run_validate(release)).rules(BAD) == {"sar_present"}


def test_a_tile_without_its_optical_pair(release: Release, run_validate: Runner) -> None:
    release.drop("PS-RGB", BAD)
    result = only_the_bad_tile(run_validate(release))
    assert result.rules(BAD) == {"pair_present"}
    assert "PS-RGB" in result.reason("pair_present")


@pytest.mark.parametrize(("shift_px", "rules"), [(0.3, set()), (0.7, {"pair_grid"}), (40.0, {"pair_grid"})])
def test_a_pair_on_another_grid(
    shift_px: float, rules: set[str], release: Release, run_validate: Runner
) -> None:
    release.put("PS-RGB", BAD, tif(optical_pixels(), grid(BAD, shift_px=shift_px)))
    result = run_validate(release)
    assert result.rules(BAD) == rules
    assert result.row(BAD)["pair_offset_px"] == pytest.approx(shift_px)


@pytest.mark.parametrize(
    ("pixels", "rule"),
    [
        (optical_pixels().astype(np.uint16), "optical_dtype"),
        (optical_pixels()[:1], "optical_bands"),
        (np.zeros_like(optical_pixels()), "optical_nodata"),
    ],
)
def test_a_bad_optical_file(pixels: Any, rule: str, release: Release, run_validate: Runner) -> None:
    release.put("PS-RGB", BAD, tif(pixels, grid(BAD)))
    assert only_the_bad_tile(run_validate(release)).rules(BAD) == {rule}


def test_a_strip_without_orientation_flag(release: Release, run_validate: Runner) -> None:
    release.files["SAR_orientations.txt"].content = f"{STRIPS[1]} 1\n".encode()
    result = run_validate(release)
    assert {*result.quarantine["rule"]} == {"orientation_known"}
    assert len(result.quarantine) == 4


def test_a_misnamed_file(release: Release, run_validate: Runner) -> None:
    release.files["tile.tif"] = Listed("SAR-Intensity", STRIPS[0], BAD, tif(sar_pixels(), grid(BAD)))
    result = run_validate(release)
    assert list(result.quarantine["image_id"]) == ["tile.tif"]
    assert result.reason("file_name") == (
        "tile.tif: file_name: the name 'tile.tif' breaks the SpaceNet 6 convention"
    )


def test_a_file_listed_as_another_tile(release: Release, run_validate: Runner) -> None:
    release.files[name_of("PS-RGB", BAD)].tile = 77
    result = run_validate(release)
    assert result.rules(BAD) == {"pair_present"}
    assert "tile 77" in result.reason("file_name")


class TestLabels:
    def test_a_zero_byte_file_is_a_tile_without_buildings(
        self, release: Release, run_validate: Runner
    ) -> None:
        release.put("Buildings", BAD, b"")
        result = run_validate(release)
        assert result.quarantine.empty
        assert result.row(BAD)["label_zero_bytes"]
        assert result.row(BAD)["label_count"] == 0
        assert result.verdict["sensors"]["simulated-airborne"]["label_zero_bytes"] == 1

    def test_a_missing_file_is_recorded(self, release: Release, run_validate: Runner) -> None:
        release.drop("Buildings", BAD)
        result = run_validate(release)
        assert result.quarantine.empty
        assert not result.row(BAD)["label_present"]
        assert result.verdict["sensors"]["simulated-airborne"]["label_missing"] == 1

    def test_self_intersecting_and_empty_polygons_are_recorded(
        self, release: Release, run_validate: Runner
    ) -> None:
        x, y = grid(BAD).c + 5, grid(BAD).f - 5
        bow_tie = {
            "type": "Polygon",
            "coordinates": [[[x, y], [x + 4, y - 4], [x + 4, y], [x, y - 4], [x, y]]],
        }
        empty = {"type": "Polygon", "coordinates": []}
        release.put("Buildings", BAD, geojson(square(x + 6, y), bow_tie, empty, None))
        result = run_validate(release)
        assert result.quarantine.empty
        row = result.row(BAD)
        assert (row["label_repaired"], row["label_empty"], row["label_unrepairable"]) == (1, 2, 0)
        assert row["label_count"] == 3  # the bow-tie counts by its two lobes

    def test_a_polygon_beyond_repair(self, release: Release, run_validate: Runner) -> None:
        x, y = grid(BAD).c + 5, grid(BAD).f - 5
        line = {"type": "Polygon", "coordinates": [[[x, y], [x + 1, y], [x + 2, y], [x, y]]]}
        release.put("Buildings", BAD, geojson(line, square(x, y)))
        result = only_the_bad_tile(run_validate(release))
        assert "polygons beyond repair is 1, allowed is 0" in result.reason("label_repairable")

    @pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"features": 3}', b"[" * 100_000])
    def test_a_file_that_is_no_geojson(self, content: bytes, release: Release, run_validate: Runner) -> None:
        release.put("Buildings", BAD, content)
        assert only_the_bad_tile(run_validate(release)).rules(BAD) == {"label_readable"}

    def test_labels_of_another_place(self, release: Release, run_validate: Runner) -> None:
        release.put("Buildings", BAD, geojson(square(500_000, 5_000_000)))
        result = only_the_bad_tile(run_validate(release))
        assert "share of labels beside the tile is 1" in result.reason("label_place")

    def test_a_checksum_mismatch(self, release: Release, run_validate: Runner) -> None:
        release.files[name_of("Buildings", BAD)].sha256 = "f" * 64
        assert only_the_bad_tile(run_validate(release)).rules(BAD) == {"label_checksum"}
