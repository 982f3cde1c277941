from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.warp import transform

from components.lib.mapping.levels import PUBLISHED_NO_DATA, from_published
from components.predict.outputs.thumbnail import LARGEST_PART, map_picture, palette, write_thumbnail
from tests.predict.outputs.examples import CRS, GRID


def test_it_is_small_and_transparent_where_there_are_no_data(map_folder: Path, tmp_path: Path) -> None:
    assert write_thumbnail(map_folder / "probability.tif", tmp_path / "t.png") == ""
    with Image.open(tmp_path / "t.png") as image:
        assert image.size == (439, 512)
        pixels = np.asarray(image.convert("RGBA"))
    assert not pixels[:, :57, 3].any()
    assert (pixels[:, 60:, 3] == 255).all()
    assert tuple(pixels[0, -1, :3]) == palette()[5]
    assert (tmp_path / "t.png").stat().st_size < 40_000


def test_of_scenes_far_apart_it_shows_the_largest(tmp_path: Path) -> None:
    """A scene of 120 pixels a side, far from two small ones that touch in an overview."""
    values = np.full((3000, 3000), PUBLISHED_NO_DATA, dtype=np.uint8)
    values[2700:2820, 2600:2720] = 190
    values[10:40, 10:40] = values[44:60, 44:60] = 60
    profile = {"driver": "GTiff", "width": 3000, "height": 3000, "count": 1, "dtype": "uint8"}
    profile |= {"nodata": PUBLISHED_NO_DATA, "crs": CRS, "transform": GRID.transform}
    with rasterio.open(tmp_path / "m.tif", "w", **profile) as raster:
        raster.write(values, 1)
    assert write_thumbnail(tmp_path / "m.tif", tmp_path / "t.png") == LARGEST_PART
    with Image.open(tmp_path / "t.png") as image:
        shown = np.asarray(image.convert("RGBA"))[..., 3] > 0
    assert shown.sum() == 120 * 120, "each pixel of that scene, and none of the others"
    assert shown.mean() > 0.8


def test_the_colours_grow_lighter_with_the_probability() -> None:
    light = [
        0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2
        for r, g, b in palette()
    ]
    assert (np.diff(light[1:]) > -1e-3).all()


def test_the_picture_of_the_page_lies_where_the_raster_does(map_folder: Path) -> None:
    picture = map_picture(map_folder / "probability.tif")
    with Image.open(BytesIO(base64.b64decode(picture.address.partition(",")[2]))) as image:
        pixels = np.asarray(image)  # palette indices, which are the levels
    west, north = picture.corners[0]
    east, south = picture.corners[2]
    with rasterio.open(map_folder / "probability.tif") as raster:
        levels = from_published(raster.read(1))
    # Centres of buildings: the levels there are those of the raster.
    rows, columns = np.nonzero(levels[12::24, 10::20] > 129)
    rows, columns = rows * 24 + 12, columns * 20 + 10
    inside = [levels[r - 3 : r + 4, c - 3 : c + 4].std() == 0 for r, c in zip(rows, columns, strict=True)]
    rows, columns = rows[inside], columns[inside]
    assert len(rows) > 10
    xs, ys = GRID.transform @ (columns + 0.5, rows + 0.5)
    lon, lat = transform(CRS, "EPSG:4326", xs.tolist(), ys.tolist())
    mercator = np.arcsinh(np.tan(np.radians([*lat, south, north])))
    y = ((mercator[-1] - mercator[:-2]) / (mercator[-1] - mercator[-2]) * pixels.shape[0]).astype(int)
    x = ((np.array(lon) - west) / (east - west) * pixels.shape[1]).astype(int)
    assert np.abs(pixels[y, x].astype(int) - levels[rows, columns]).max() <= 1
