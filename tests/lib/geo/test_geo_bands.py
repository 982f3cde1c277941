"""Bands as their file describes them: no-data, masks, order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.geo.bands import in_band_order, nodata_pixels, valid_pixels
from components.lib.geo.raster import Raster, read_geotiff
from tests.hostile import tiff

GRID = Affine(0.5, 0, 592_000, 0, -0.5, 5_746_000)
QUAD = ("HH", "HV", "VH", "VV")


def raster(pixels: Any, dtype: str = "float32", **options: Any) -> Raster:
    """A raster of one row from its pixels, (bands, pixels)."""
    return read_geotiff(tiff(np.array(pixels, dtype=dtype)[:, None], GRID, **options), "a.tif")


@pytest.mark.parametrize(
    ("nodata", "dtype", "pixels", "missing"),
    [
        (None, "float32", [[0, 0, 5], [0, 5, 5]], [1, 0, 0]),
        (0, "float32", [[0, 0, 5], [0, 5, 5]], [1, 0, 0]),
        (-9999, "float32", [[-9999, -9999, 0, 0], [-9999, 5, 0, 5]], [1, 1, 1, 0]),
        (float("nan"), "float32", [[np.nan, np.nan, 5], [np.nan, 5, 5]], [1, 1, 0]),
        (None, "float32", [[np.nan, np.nan, 5], [np.nan, 5, 5]], [0, 0, 0]),
        (-3.4028234663852886e38, "float32", [[-3.4028235e38, 5], [-3.4028235e38, 5]], [1, 0]),
        (255, "uint8", [[255, 255, 0, 7], [255, 7, 0, 7]], [1, 0, 1, 0]),
        (-9999, "uint8", [[241, 0], [241, 0]], [0, 1]),
    ],
)
def test_what_the_file_declares_as_no_data_is_no_data(
    nodata: float | None, dtype: str, pixels: list[list[float]], missing: list[int]
) -> None:
    if dtype == "uint8" and nodata == -9999:
        found = Raster(
            array=np.array(pixels, dtype=dtype)[:, None],
            profile=raster([[1.0]], nodata=-9999.0).profile,
        )
    else:
        found = raster(pixels, dtype, nodata=nodata)
    assert nodata_pixels(found)[0].tolist() == [bool(value) for value in missing]


def test_an_undeclared_nan_is_neither_data_nor_no_data() -> None:
    found = raster([[np.nan, 5], [5, 5]])
    assert nodata_pixels(found).sum() == 0
    assert valid_pixels(found)[0].tolist() == [False, True]


def test_the_files_own_mask_hides_pixels() -> None:
    found = raster([[5, 6, 7]], "uint8", mask=np.array([[0, 255, 255]], dtype=np.uint8))
    assert nodata_pixels(found)[0].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("descriptions", "order"),
    [
        (("VV", "VH", "HV", "HH"), [3, 2, 1, 0]),
        (("sigma0_hv", "sigma0_hh", "sigma0_vh", "sigma0_vv"), [1, 0, 2, 3]),
        (("VV (dB)", "HH (dB)", "HV (dB)", "VH (dB)"), [1, 2, 3, 0]),
        (("VV1", "VH1", "HV1", "HH1"), [3, 2, 1, 0]),
        (("VVdB", "VHdB", "HVdB", "HHdB"), [3, 2, 1, 0]),
        (("Gamma0VV", "Gamma0VH", "Gamma0HV", "Gamma0HH"), [3, 2, 1, 0]),
        (("|S_vv|", "|S_vh|", "|S_hv|", "|S_hh|"), [3, 2, 1, 0]),
        (("VHR savvy", "B2", "behaviour", "HR"), [0, 1, 2, 3]),
        (QUAD, [0, 1, 2, 3]),
        (("HH", "", "", "VV"), [0, 1, 2, 3]),
        (("band 1", "B2", "", "intensity"), [0, 1, 2, 3]),
        (None, [0, 1, 2, 3]),
    ],
)
def test_bands_come_in_the_sensors_order(descriptions: tuple[str, ...] | None, order: list[int]) -> None:
    found = in_band_order(raster([[0], [1], [2], [3]], descriptions=descriptions), QUAD)
    assert found.array[:, 0, 0].tolist() == order


@pytest.mark.parametrize(
    "descriptions",
    [
        ("VV", "VV", "HV", "HH"),
        ("RH", "RV", "LH", "LV"),
        ("HHHH", "HHHV", "HHVV", "VVVV"),
        ("VV", "", "", ""),
        ("HH", "HV", "VH", "HH VV"),
        ("HH", "HV", "VH", "HH"),
    ],
)
def test_descriptions_that_contradict_the_sensor_are_refused(descriptions: tuple[str, ...]) -> None:
    with pytest.raises(BadDataError, match=r"a\.tif has bands described as .*HH, HV, VH, VV are expected"):
        in_band_order(raster([[0], [1], [2], [3]], descriptions=descriptions), QUAD)


def test_a_polarisation_that_the_sensor_lacks_is_refused() -> None:
    with pytest.raises(BadDataError, match="described as VV, VH"):
        in_band_order(raster([[0], [1]], descriptions=("VV", "VH")), ("HH", "HV"))


def test_colours_are_told_by_words_and_by_interpretation() -> None:
    words = raster([[0], [1], [2]], "uint8", descriptions=("Blue", "Green", "Red"))
    assert in_band_order(words, ("R", "G", "B")).array[:, 0, 0].tolist() == [2, 1, 0]
    colours = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)
    declared = raster([[0], [1], [2]], "uint8", colours=colours)
    assert in_band_order(declared, ("R", "G", "B")).array[:, 0, 0].tolist() == [2, 1, 0]


def test_colours_with_numbers_are_told_and_other_colours_refused() -> None:
    numbered = raster([[0], [1], [2]], "uint8", descriptions=("Blue1", "Green1", "Red1"))
    assert in_band_order(numbered, ("R", "G", "B")).array[:, 0, 0].tolist() == [2, 1, 0]
    for names in (("Cyan", "Magenta", "Yellow"), ("Red", "Green", "Alpha"), ("Y", "Cb", "Cr")):
        with pytest.raises(BadDataError, match="R, G, B are expected"):
            in_band_order(raster([[0], [1], [2]], "uint8", descriptions=names), ("R", "G", "B"))


@pytest.mark.parametrize("header", [{"scale": 0.01}, {"offset": 3.0}])
def test_scaled_values_are_refused_by_name(header: dict[str, Any]) -> None:
    with pytest.raises(BadDataError, match=r"a\.tif declares a scale or an offset"):
        raster([[1]], **header)
