"""Offsets of SAR images from the outlines of their buildings, as columns of the features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from rasterio.transform import Affine

from components.lib.geo.raster import read_geotiff
from components.validate.measure import measure
from components.validate.offsets import LONGEST_PX, Backscatter
from tests.validate.conftest import (
    GSD_M,
    SIDE_PX,
    STRIPS,
    Release,
    geojson,
    grid,
    healthy_release,
    square,
    tif,
    write_release,
)

EAST, RANGE = "sar_offset_east_m", "sar_offset_range_m"
ALL_STRIPS = (*STRIPS, "20190823070610_20190823070846")
"""The last has no orientation flag."""

DOWN_PX, RIGHT_PX = 3, 2
HOUSES = [(10, 8, 10), (22, 24, 6), (28, 6, 8)]
"""Top, left and side of buildings, pixels."""


def image(down: int, right: int) -> npt.NDArray[np.float32]:
    """Noise with bright buildings that lie beside their outlines; a border has no data."""
    pixels = np.random.default_rng(7).normal(30, 2, (4, SIDE_PX, SIDE_PX))
    for top, left, side in HOUSES:
        pixels[:, top + down : top + down + side, left + right : left + right + side] += 30
    pixels[:, :, :4] = 0
    return pixels.astype(np.float32)


def outlines(transform: Affine) -> bytes:
    x, y = transform.c, transform.f
    placed = [(x + left * GSD_M, y - top * GSD_M, side * GSD_M) for top, left, side in HOUSES]
    return geojson(*(square(*place) for place in placed))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles 1 to 4 of both strips, the second seen from the south, and one of a strip without a flag."""
    release, root = healthy_release(), tmp_path_factory.mktemp("offsets")
    for strip in ALL_STRIPS:
        transform = grid(1)
        release.put("SAR-Intensity", 1, tif(image(DOWN_PX, RIGHT_PX), transform), strip)
        release.put("Buildings", 1, outlines(transform), strip)
    release.put("Buildings", 2, b"")
    release.drop("Buildings", 3)
    south_up = Affine(GSD_M, 0, grid(4).c, 0, GSD_M, grid(4).f - SIDE_PX * GSD_M)
    release.put("SAR-Intensity", 4, tif(image(0, 0), south_up))
    release.put("Buildings", 4, outlines(grid(4)))
    release.put("SAR-Intensity", 2, tif(image(0, 0), grid(2), "EPSG:32632"), STRIPS[1])
    release.put("Buildings", 2, outlines(grid(2)), STRIPS[1])
    release.put("Buildings", 3, geojson(square(grid(3).c + 6, grid(3).f - 4, 1.5)), STRIPS[1])
    write_release(root / "raw", release)
    measure(root / "raw", root / "features")
    return root


def row_of(measured: Path, strip: str, tile: int) -> Any:
    table = pd.read_parquet(measured / "features" / "features.parquet")
    return table.set_index(["strip", "tile"]).loc[strip, tile]


def test_a_moved_image_has_its_offset_in_metres_from_either_side(measured: Path) -> None:
    north, south, unknown = (row_of(measured, strip, 1) for strip in ALL_STRIPS)
    assert [row[EAST] for row in (north, south, unknown)] == pytest.approx([RIGHT_PX * GSD_M] * 3)
    assert north[RANGE] == pytest.approx(DOWN_PX * GSD_M), "the radar is in the north: down is away from it"
    assert south[RANGE] == pytest.approx(-DOWN_PX * GSD_M)
    assert pd.isna(unknown[RANGE])


@pytest.mark.parametrize(
    ("strip", "tile", "why"),
    [
        (0, 2, "a label file of 0 bytes"),
        (0, 3, "no label file"),
        (0, 4, "not north up"),
        (1, 2, "another CRS"),
        (1, 3, "too little is built"),
    ],
)
def test_what_cannot_be_held_against_outlines_has_no_offset(
    measured: Path, strip: int, tile: int, why: str
) -> None:
    row = row_of(measured, STRIPS[strip], tile)
    assert row[[EAST, RANGE]].isna().all(), why
    assert row["sar_readable"]
    assert row["label_present"] == (tile != 3 or strip == 1)


def test_measuring_again_gives_the_same_bytes(measured: Path) -> None:
    measure(measured / "raw", measured / "again")
    first, again = (measured / name / "features.parquet" for name in ("features", "again"))
    assert first.read_bytes() == again.read_bytes()


def test_very_large_and_complex_images_are_left_out() -> None:
    wide = np.ones((1, 2, LONGEST_PX + 1), dtype=np.float32)
    assert Backscatter.of(read_geotiff(tif(wide, grid(1)), "wide.tif")) is None
    assert Backscatter.of(read_geotiff(tif(wide[..., :5].astype(np.complex64), grid(1)), "slc.tif")) is None
    small = Backscatter.of(read_geotiff(tif(wide[..., :5], grid(1)), "small.tif"))
    assert small is not None
    assert small.valid.all()


def test_releases_without_offsets_have_no_columns(tmp_path: Path) -> None:
    release = Release()
    release.put("SAR-Intensity", 1, tif(image(0, 0), grid(1)))
    write_release(tmp_path / "raw", release)
    measure(tmp_path / "raw", tmp_path / "features")
    columns = pd.read_parquet(tmp_path / "features" / "features.parquet").columns
    assert "sar_texture_HH" in columns
    assert not {EAST, RANGE} & set(columns)
