"""Probability raster of a map: a cloud-optimised GeoTIFF, written block by block with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.shutil import copy
from rasterio.windows import Window

from components.contract.errors import ResourceError
from components.lib.disk import resource_failure
from components.lib.files import atomic_file
from components.lib.foreign import one_line
from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.levels import PUBLISHED_NO_DATA, PUBLISHED_SCALE, Levels, to_published
from components.lib.tasks.labels import BUILDING_BAND
from components.predict.outputs.writer import OutputWriter

TILE_PX: Final = 512
_CACHE_MB: Final = 64
"""Pixels that GDAL keeps: one row of tiles of a scene of 30,000 pixels takes 15 MB."""

_GDAL: Final = {
    "GDAL_CACHEMAX": _CACHE_MB,
    "GDAL_PAM_ENABLED": "NO",  # no .aux.xml beside the file
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_NUM_THREADS": "1",
}

_COG: Final[dict[str, Any]] = {
    "driver": "COG",
    "blocksize": TILE_PX,
    "compress": "DEFLATE",  # read by every GDAL and every browser library, which ZSTD is not
    "predictor": "STANDARD",  # probabilities change smoothly: 6 % smaller at the same cost
    "overview_resampling": "AVERAGE",
    "bigtiff": "IF_SAFER",
}


class ProbabilityWriter(OutputWriter):
    """Writer of ``probability.tif``: uint8, GDAL's scale makes probabilities of it, 255 is no data.

    Blocks go to an uncompressed, sparse, tiled GeoTIFF in the work folder, as compressed tiles that are
    written twice would leave holes. ``close`` turns it into the published file, whole or not at all. The
    published bytes depend on the levels alone, not on the order or the division of the blocks.

    Args:
        path: File to publish.
        grid: Place of the raster.
        crs: Coordinate reference system of ``grid``.
        work: Folder for the intermediate file, a byte a pixel at most.
        tags: Facts for the TIFF's metadata, such as ``MapFacts.tags``.
        band: Name of the band.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        crs: str,
        *,
        work: Path,
        tags: Mapping[str, str] | None = None,
        band: str = BUILDING_BAND,
    ) -> None:
        self._path = path
        self._plain = work / f"{path.stem}.plain.tif"
        self._shape = (grid.height, grid.width)
        profile = {
            "driver": "GTiff",
            "width": grid.width,
            "height": grid.height,
            "count": 1,
            "dtype": "uint8",
            "crs": crs,
            "transform": grid.transform,
            "nodata": PUBLISHED_NO_DATA,
            "tiled": True,
            "blockxsize": TILE_PX,
            "blockysize": TILE_PX,
            "sparse_ok": True,
            "bigtiff": "IF_SAFER",
        }
        with _writing(path):
            self._dataset = rasterio.open(self._plain, "w", **profile)
            self._dataset.descriptions = (band,)
            self._dataset.scales = (PUBLISHED_SCALE,)
            self._dataset.update_tags(**dict(tags or {}))

    def write(self, box: Box, levels: Levels) -> None:
        """Write the pixels of a box.

        Args:
            box: Place in the grid.
            levels: (h, w) of the box's shape.

        Raises:
            ResourceError: If the disk is full.
            ValueError: If the shapes differ or the box lies beyond the grid.
        """
        if levels.shape != box.shape or box.shared(Box(0, 0, *self._shape)) != box:
            raise ValueError(f"levels of shape {levels.shape} do not fill {box} of a grid {self._shape}")
        height, width = box.shape
        with _writing(self._path):
            window = Window(box.left, box.top, width, height)
            self._dataset.write(to_published(levels), 1, window=window)

    def close(self) -> None:
        """Publish the file.

        Raises:
            ResourceError: If the disk is full.
        """
        try:
            with _writing(self._path):
                self._dataset.close()
                with atomic_file(self._path) as temporary:
                    copy(self._plain, temporary, **_COG)
        finally:
            self._remove_plain()

    def discard(self, error: BaseException) -> None:
        """See :class:`OutputWriter`."""
        self._remove_plain()

    def _remove_plain(self) -> None:
        if not self._dataset.closed:
            self._dataset.close()
        self._plain.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Set GDAL's options and turn its errors into ours, as only the disk can fail here."""
    with rasterio.Env(**_GDAL):
        try:
            yield
        except (RasterioError, CPLE_BaseError) as error:  # rasterio.shutil passes GDAL's own errors on
            failure = resource_failure(error)
            if failure is not None:
                raise failure from error
            raise ResourceError(
                f"{path} cannot be written: {one_line(error.__cause__ or error)}",
                next_step="check free space and permissions of its folder and of the work folder",
            ) from error
