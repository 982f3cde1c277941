"""The release labels no building where its radar has no data; losses, scores and simulation rest on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

pytestmark = pytest.mark.real_data


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        values: np.ndarray = dataset.read()
    return values


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_building_of_a_real_radar_tile_lies_where_there_is_no_data(real_data: Path) -> None:
    folder = real_data / "spacenet6" / "tile_labels"
    building = read(folder / "tile_8691_mask.png")[0] > 0
    black = (read(folder / "tile_8691_sar_gray.png") == 0).all(axis=0)
    assert 0.2 < black.mean() < 0.22
    assert np.count_nonzero(building) == 25_637
    assert not (building & black).any()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_labels_of_a_real_optical_tile_end_with_its_data(real_data: Path) -> None:
    folder = real_data / "spacenet6"
    building = read(folder / "tile_labels" / "tile_3721_mask_900.png")[0] > 0
    (picture,) = (folder / "tile").glob("*_tile_3721.tif")
    black = (read(picture) == 0).all(axis=0)
    assert black.mean() > 0.3
    # The mask was read back from a figure: its borders are uncertain by a pixel or two.
    assert np.count_nonzero(building & black) < 0.005 * np.count_nonzero(building)
