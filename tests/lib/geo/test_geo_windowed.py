"""Windows of files: equal parts of the whole, and the rules of hostile files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError
from components.lib.geo.raster import RasterLimits, read_geotiff
from components.lib.geo.resample import Axis, blend, resample
from components.lib.geo.windowed import WindowedGeoTiff
from components.lib.mapping.blocks import Box
from tests.hostile import tiff

TRANSFORM = Affine(0.5, 0, 592_000, 0, -0.5, 5_750_000)


def test_windows_hold_pixels_mask_and_header_of_the_file(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9, (2, 30, 40), dtype=np.uint16)
    mask = np.full((30, 40), 255, dtype=np.uint8)
    mask[10:20, 5:15] = 0
    path = tmp_path / "a#b?c!.tif"
    path.write_bytes(tiff(values, TRANSFORM, mask=mask))
    whole = read_geotiff(path.read_bytes(), path.name)
    file = WindowedGeoTiff(path, path.name)
    assert file.profile == whole.profile
    window = file.read(Box(8, 3, 22, 17))
    np.testing.assert_array_equal(window.array, whole.array[:, 8:22, 3:17])
    assert window.masked is not None
    assert whole.masked is not None
    np.testing.assert_array_equal(window.masked, whole.masked[8:22, 3:17])
    file.close()
    np.testing.assert_array_equal(file.read(Box(0, 0, 1, 40)).array, whole.array[:, :1])


def test_limits_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    with pytest.raises(MissingInputError, match=r"scene\.tif is missing"):
        WindowedGeoTiff(path, path.name)
    path.write_bytes(tiff(np.ones((1, 20, 20), dtype=np.uint8), TRANSFORM))
    with pytest.raises(BadDataError, match=r"scene\.tif claims 1 bands of 20 x 20"):
        WindowedGeoTiff(path, path.name, RasterLimits(max_side_px=10))


@pytest.mark.parametrize("size", [(30, 77), (61, 11), (25, 50)])
def test_a_window_of_a_resampled_raster_is_a_part_of_the_whole(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    array, valid = rng.normal(size=(3, 25, 50)).astype(np.float32), rng.random((25, 50)) > 0.2
    values, mask = resample(array, valid, *size)
    rows, columns = Axis.over(25, size[0]).taps(4, size[0] - 3), Axis.over(50, size[1]).taps(2, size[1] - 5)
    (top, bottom), (left, right) = rows.span, columns.span
    part, found = blend(
        array[:, top:bottom, left:right],
        valid[top:bottom, left:right],
        rows.within(top),
        columns.within(left),
    )
    np.testing.assert_array_equal(part, values[:, 4:-3, 2:-5])
    np.testing.assert_array_equal(found, mask[4:-3, 2:-5])


def test_an_axis_tells_which_centres_lie_on_the_source() -> None:
    shifted = Axis(10, 0.5, -1.0)  # half-size pixels from one pixel before the source
    assert shifted.inside(0, 24).tolist() == [False] * 2 + [True] * 20 + [False] * 2
    assert shifted.taps(0, 3).low.tolist() == [0, 0, 0]
