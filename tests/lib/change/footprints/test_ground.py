from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.change.footprints import ground
from components.lib.change.footprints.ground import RasterGround
from components.lib.geo.raster import write_geotiff
from components.lib.mapping.levels import to_levels
from tests.predict.outputs.examples import GRID, write_probability

SHAPE = (GRID.height, GRID.width)


def at(row: int, column: int, height: int, width: int) -> shapely.Polygon:
    """Rectangle of pixels on the ground."""
    side = GRID.gsd_m
    return shapely.box(
        GRID.x_left_m + column * side,
        GRID.y_top_m - (row + height) * side,
        GRID.x_left_m + (column + width) * side,
        GRID.y_top_m - row * side,
    )


@pytest.fixture
def raster(tmp_path: Path) -> RasterGround:
    """A quarter of probability 0.5, no data in the first 80 columns, 0 elsewhere."""
    probability = np.zeros(SHAPE, dtype=np.float32)
    probability[:350, 300:] = 0.5
    valid = np.ones(SHAPE, dtype=bool)
    valid[:, :80] = False
    write_probability(tmp_path / "probability.tif", to_levels(probability, valid))
    return RasterGround(tmp_path / "probability.tif")


AREAS = np.array(
    [
        at(10, 400, 20, 20),  # probable
        at(340, 400, 20, 20),  # half of it
        at(10, 70, 20, 20),  # half without data
        at(10, 10, 20, 20),  # without data
        at(10, 590, 20, 20),  # half beyond the raster
        at(10, 700, 20, 20),  # beyond it
        shapely.MultiPolygon([at(600, 100, 10, 10), at(600, 200, 10, 10)]),
    ],
    dtype=object,
)


@pytest.mark.parametrize("side", [2048, 256, 100])
def test_shares_and_probabilities_do_not_depend_on_the_blocks(
    raster: RasterGround, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "_SIDE_PX", side)
    found = raster.observe(AREAS)
    np.testing.assert_allclose(found.share, [1, 1, 0.5, 0, 0.5, 0, 1])
    np.testing.assert_allclose(found.probability, [0.5, 0.25, 0, 0, 0.5, 0, 0], atol=1 / 508)


def test_no_area_is_no_observation(raster: RasterGround) -> None:
    found = raster.observe(np.empty(0, dtype=object))
    assert (len(found.share), len(found.probability)) == (0, 0)


def test_the_extent_is_the_rasters(raster: RasterGround) -> None:
    assert raster.extent.equals(at(0, 0, *SHAPE))


def test_another_raster_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.tif"
    write_geotiff(path, np.ones((1, 4, 4), dtype=np.uint8), transform=Affine.scale(0.5), crs="EPSG:32631")
    with pytest.raises(BadDataError, match=r"other\.tif is no probability raster of a map"):
        RasterGround(path)
    path.write_bytes(b"no raster")
    with pytest.raises(BadDataError, match=r"other\.tif cannot be read"):
        RasterGround(path)
