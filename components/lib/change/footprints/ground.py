"""Ground that a map observed, and how probable buildings are on it, from its probability raster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.errors import RasterioError
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.windows import Window

from components.contract.errors import BadDataError
from components.lib.geo.footprints import to_pixels
from components.lib.geo.raster import GDAL_OPTIONS, reason_of
from components.lib.mapping.blocks import Blocks, Box
from components.lib.mapping.levels import (
    NO_DATA,
    PUBLISHED_NO_DATA,
    PUBLISHED_SCALE,
    from_published,
    to_probability,
)

_SIDE_PX: Final = 2048
"""Side of the blocks that are read, pixels: 4 MiB each."""

Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Observation:
    """Observation of areas by a map, (N,) each.

    Attributes:
        share: Share of the area that has data, 0 to 1.
        probability: Mean building probability of the part with data; 0 where none has.
    """

    share: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]


class Ground(Protocol):
    """Anything that knows what a map observed.

    Attributes:
        extent: Outline of the map, in its CRS; ground beyond it was not observed.
    """

    @property
    def extent(self) -> shapely.Polygon:
        """See the class."""
        ...

    def observe(self, areas: Geometries) -> Observation:
        """Return what the map observed of areas in its CRS, (N,) polygons and multi-polygons."""
        ...


class RasterGround:
    """Ground of a published probability raster, read block by block.

    Args:
        path: ``probability.tif`` of a map: GDAL's scale makes probabilities of it, 255 is no data.

    Raises:
        BadDataError: If it is no such raster.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as raster:
            stated = (raster.count, raster.dtypes[0], raster.nodata, raster.scales[0], raster.offsets[0])
            if stated[:3] != (1, "uint8", PUBLISHED_NO_DATA) or not np.allclose(
                stated[3:], (PUBLISHED_SCALE, 0)
            ):
                raise BadDataError(
                    f"{path} is no probability raster of a map: bands, type, no data, scale and offset are "
                    f"{', '.join(map(str, stated))}",
                    next_step="name the folder of a map that python -m components.predict made",
                )
            self._transform, self._shape = raster.transform, (raster.height, raster.width)
            self.extent = shapely.box(*raster.bounds)

    def observe(self, areas: Geometries) -> Observation:
        """Return what the raster shows of areas in its CRS; a pixel counts where its centre lies in one.

        Where areas overlap, a pixel counts for the last of them. Ground beyond the raster has no data.

        Raises:
            BadDataError: If the raster is damaged.
        """
        seen, total, sums = (np.zeros(len(areas)) for _ in range(3))
        in_pixels = np.array([to_pixels(area, self._transform) for area in areas], dtype=object)
        tree = shapely.STRtree(in_pixels)
        blocks = Blocks(self._shape, _SIDE_PX)
        with self._opened() as raster:
            for number in range(len(blocks)):
                box = blocks.box(number)
                near = tree.query(shapely.box(box.left, box.top, box.right, box.bottom), "intersects")
                if not len(near):
                    continue
                levels = from_published(raster.read(1, window=Window.from_slices(*box.within(_WHOLE))))
                drawn = _numbered(in_pixels[near], box)
                valid = (levels != NO_DATA) & (drawn > 0)
                count = len(near) + 1
                total[near] += np.bincount(drawn.ravel(), minlength=count)[1:]
                seen[near] += np.bincount(drawn[valid], minlength=count)[1:]
                sums[near] += np.bincount(drawn[valid], to_probability(levels[valid]), minlength=count)[1:]
        whole = np.maximum(total, shapely.area(in_pixels))
        share = np.divide(seen, whole, out=np.zeros_like(seen), where=whole > 0)
        return Observation(share, np.divide(sums, seen, out=np.zeros_like(seen), where=seen > 0))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open the raster; what GDAL dislikes is about the file."""
        try:
            with rasterio.Env(**GDAL_OPTIONS), rasterio.open(self._path, driver="GTiff") as raster:
                yield raster
        except RasterioError as error:
            raise BadDataError(
                f"{self._path} cannot be read: {reason_of(error, str(self._path))}",
                next_step="fetch the map again, or make it again",
            ) from error


_WHOLE: Final = Box(0, 0, 0, 0)
"""Box from whose corner the slices of others are counted."""


def _numbered(areas: Geometries, box: Box) -> npt.NDArray[np.int32]:
    """Return the areas drawn into a box of pixels, numbered 1..N, 0 elsewhere."""
    drawn: npt.NDArray[np.int32] = rasterize(
        [(area, number) for number, area in enumerate(areas, 1)],
        out_shape=box.shape,
        transform=Affine.translation(box.left, box.top),
        dtype="int32",
    )
    return drawn
