"""Optical tiles with road labels: bands, bit depth, grid in metres, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError
from components.lib.datasets.spacenet3 import SPACENET3
from components.lib.geo.crs import LON_LAT, move
from components.lib.roads.imagery import eight_bit, read_road_tile

SIDE = 40
DEGREES = Affine(2.7e-6, 0.0, -115.17, 0.0, -2.7e-6, 36.24)
UTM = "EPSG:32611"
IMAGE, LABELS = "RGB-PanSharpen_AOI_2_Vegas_img7.tif", "spacenetroads_AOI_2_Vegas_img7.geojson"


def write(
    folder: Path, array: npt.NDArray[Any], crs: str | None = LON_LAT, transform: Affine = DEGREES
) -> Path:
    path = folder / IMAGE
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=len(array), dtype=array.dtype, crs=crs,
        transform=transform, photometric="RGB", alpha="YES" if len(array) == 4 else "NO",
    ) as file:  # fmt: skip
        file.write(array)
    return path


def label(folder: Path, name: str = LABELS, **properties: object) -> Path:
    """A line from west to east through the middle of the tile."""
    west, east, lat = -115.17, -115.17 + SIDE * 2.7e-6, 36.24 - SIDE / 2 * 2.7e-6
    feature = {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "LineString", "coordinates": [[west, lat], [east, lat]]},
    }
    (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return folder / name


def colours(dtype: type[np.integer[Any]] = np.uint8, *values: int) -> npt.NDArray[Any]:
    """Bands of one value each."""
    return np.stack([np.full((SIDE, SIDE), value, dtype=dtype) for value in values])


def test_degrees_become_square_metres(tmp_path: Path) -> None:
    tile = read_road_tile(write(tmp_path, colours(np.uint8, 10, 20, 30)), label(tmp_path), SPACENET3)
    assert (tile.image_id, tile.image.crs, tile.image.bands) == ("AOI_2_Vegas_img7", UTM, ("R", "G", "B"))
    assert (tile.image.transform.a, tile.image.transform.e) == (0.3, -0.3)
    height, width = tile.image.shape
    assert (height, width) == pytest.approx((SIDE * 0.2996 / 0.3, SIDE * 0.2427 / 0.3), abs=1.5)
    inside = tile.image.values[:, height // 2, width // 2]
    assert inside.tolist() == [10, 20, 30]
    (road,) = tile.roads.lines
    middle = move(np.array([[-115.17 + SIDE / 2 * 2.7e-6, 36.24 - SIDE / 2 * 2.7e-6]]), LON_LAT, UTM, "it")
    assert road.line.centroid.coords[0] == pytest.approx(tuple(middle[0]), abs=0.01)


def test_an_image_in_metres_keeps_its_plane(tmp_path: Path) -> None:
    place = Affine(0.3, 0.0, 664_000.0, 0.0, -0.3, 4_012_000.0)
    tile = read_road_tile(write(tmp_path, colours(np.uint8, 1, 2, 3), UTM, place), label(tmp_path), SPACENET3)
    assert tile.image.crs == UTM
    assert tuple(tile.image.transform) == pytest.approx(tuple(place[:6]))
    assert tile.image.shape == (SIDE, SIDE)
    assert tile.image.valid.all()


def test_an_alpha_band_decides_where_there_are_data(tmp_path: Path) -> None:
    array = colours(np.uint8, 0, 0, 0, 255)
    array[3, :, : SIDE // 2] = 0
    place = Affine(0.3, 0.0, 664_000.0, 0.0, -0.3, 4_012_000.0)
    tile = read_road_tile(write(tmp_path, array, UTM, place), label(tmp_path), SPACENET3)
    assert not tile.image.valid[:, : SIDE // 2].any()
    assert tile.image.valid[:, SIDE // 2 :].all()
    assert (tile.image.values[:, :, SIDE // 2 :] == 1).all(), "black that is data is 1"


def test_sixteen_bits_are_scaled_by_percentiles_of_each_band() -> None:
    values = np.stack([np.arange(SIDE * SIDE).reshape(SIDE, SIDE) + start for start in (100, 9_000)])
    valid = np.ones((SIDE, SIDE), dtype=bool)
    valid[0] = False
    scaled = eight_bit(values.astype(np.uint16), valid)
    assert (scaled[:, 0] == 0).all()
    assert (scaled[0] == scaled[1]).all(), "an offset of a whole band does not matter"
    shares = [(scaled[0][valid] == end).mean() for end in (1, 255)]
    assert shares == pytest.approx([0.02, 0.02], abs=0.005)
    assert (np.diff(scaled[0][valid].astype(int)) >= 0).all()


def test_flat_and_empty_images_of_sixteen_bits_are_scaled() -> None:
    flat, everywhere = colours(np.uint16, 500, 500, 500), np.ones((SIDE, SIDE), dtype=bool)
    assert (eight_bit(flat, everywhere) == 1).all()
    assert not eight_bit(flat, ~everywhere).any()


@pytest.mark.parametrize(("lanes", "width_m"), [("2", 7.0), (3, 10.5), ("None", None), (None, None)])
def test_lanes_give_widths_where_they_are_stated(
    tmp_path: Path, lanes: object, width_m: float | None
) -> None:
    labels = label(tmp_path, road_type="5", lane_number=lanes, bridge_typ="2", paved="None")
    tile = read_road_tile(write(tmp_path, colours(np.uint8, 1, 2, 3)), labels, SPACENET3)
    (road,) = tile.roads.lines
    assert np.isnan(road.width_m) if width_m is None else road.width_m == width_m
    assert not road.uncertain


@pytest.mark.parametrize(
    ("array", "crs", "message"),
    [
        (colours(np.uint8, 1, 2), LON_LAT, "has 2 bands of uint8"),
        (colours(np.uint8, 1, 2, 3, 4, 5), LON_LAT, "has 5 bands of uint8"),
        (colours(np.uint8, 1, 2, 3).astype(np.float32), LON_LAT, "has 3 bands of float32"),
        (colours(np.uint8, 1, 2, 3), None, "has no CRS"),
    ],
)
def test_other_images_are_refused_by_name(
    tmp_path: Path, array: npt.NDArray[Any], crs: str | None, message: str
) -> None:
    with pytest.raises(BadDataError, match=message) as caught:
        read_road_tile(write(tmp_path, array, crs), label(tmp_path), SPACENET3)
    assert IMAGE in str(caught.value)


def test_labels_of_another_tile_are_refused(tmp_path: Path) -> None:
    other = label(tmp_path, "AOI_2_Vegas_img8.geojson")
    with pytest.raises(BadDataError, match=r"img8\.geojson has labels of another tile"):
        read_road_tile(write(tmp_path, colours(np.uint8, 1, 2, 3)), other, SPACENET3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    image = write(tmp_path, colours(np.uint8, 1, 2, 3))
    with pytest.raises(MissingInputError, match=LABELS) as caught:
        read_road_tile(image, tmp_path / LABELS, SPACENET3)
    assert "dvc" not in str(caught.value), "no stage makes it"
