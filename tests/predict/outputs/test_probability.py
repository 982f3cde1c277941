from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from components.contract.errors import ResourceError
from components.lib.mapping.blocks import Box
from components.lib.mapping.levels import from_published, to_probability
from components.predict.outputs.probability import ProbabilityWriter
from tests.predict.outputs.examples import CRS, GRID, facts, levels, write_probability


def test_the_bytes_depend_on_the_levels_alone(tmp_path: Path) -> None:
    pixels = levels()
    write_probability(tmp_path / "a.tif", pixels, side=256)
    write_probability(tmp_path / "b.tif", pixels, side=300, backwards=True)
    write_probability(tmp_path / "c.tif", levels(seed=1), side=256)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert (tmp_path / "a.tif").read_bytes() != (tmp_path / "c.tif").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "b.tif", "c.tif"}


def test_it_is_a_cloud_optimised_geotiff_that_says_what_it_holds(map_folder: Path) -> None:
    path = map_folder / "probability.tif"
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as raster:
        assert np.array_equal(from_published(raster.read(1)), levels())
        assert (raster.crs.to_epsg(), raster.transform) == (32631, GRID.transform)
        assert (raster.nodata, raster.descriptions, raster.block_shapes) == (255, ("building",), [(512, 512)])
        scaled = raster.read(1) * raster.scales[0] + raster.offsets[0]
        valid = raster.read_masks(1) > 0
        assert raster.tags().items() >= facts().tags.items()
    assert not valid[:, :80].any()
    assert valid[:, 80:].all()
    # QGIS looks for no data among scaled values: none may equal it.
    assert scaled[valid].max() <= 1 < raster.nodata
    assert np.allclose(scaled[valid], to_probability(levels())[valid], atol=1e-6)


def test_overviews_average_only_what_has_data(map_folder: Path) -> None:
    with rasterio.open(map_folder / "probability.tif", overview_level=0) as overview:
        half = overview.read(1)
    assert half.shape == (350, 300)
    assert (half[:, :40] == 255).all()
    assert 4 <= half[:, 40:].min() <= half[:, 40:].max() < 255


@pytest.mark.parametrize(
    ("box", "shape"),
    [(Box(0, 0, 10, 10), (10, 9)), (Box(695, 0, 705, 10), (10, 10))],
    ids=["shape", "beyond"],
)
def test_pixels_that_do_not_fit_are_refused(tmp_path: Path, box: Box, shape: tuple[int, int]) -> None:
    with (
        pytest.raises(ValueError, match="do not fill"),
        ProbabilityWriter(tmp_path / "p.tif", GRID, CRS, work=tmp_path) as writer,
    ):
        writer.write(box, np.ones(shape, dtype=np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"p\.tif cannot be written"):
        ProbabilityWriter(tmp_path / "p.tif", GRID, CRS, work=tmp_path / "missing")
