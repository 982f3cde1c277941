"""Offset of a tile's SAR image from the outlines of its buildings.

It is for later comparisons of acquisitions (docs/methods/drift.md): no rule of the suite looks at it. The
outlines are those of the tile's label file, which is read to be judged anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.drift.geolocation import outline_offsets
from components.lib.geo.bands import Mask, valid_pixels
from components.lib.geo.footprints import clip, to_pixels
from components.lib.geo.orientation import Orientation
from components.lib.geo.raster import Raster, RasterProfile
from components.lib.geo.rasterise import rasterise_instances

LONGEST_PX = 2048
"""Longest side of an image that is held against outlines, so that no file sets how much memory that takes."""


@dataclass(frozen=True, slots=True)
class Backscatter:
    """Image with one number for each pixel.

    Attributes:
        mean: Mean of the bands, (H, W), in stored units; anything where ``valid`` is False.
        valid: Pixels with data, (H, W).
    """

    mean: npt.NDArray[np.float32]
    valid: Mask

    @classmethod
    def of(cls, raster: Raster) -> Backscatter | None:
        """Return the mean of a raster's bands; None of complex numbers, and of a very large raster."""
        if np.iscomplexobj(raster.array) or max(raster.profile.shape) > LONGEST_PX:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            mean = raster.array.mean(axis=0, dtype=np.float32)
        return cls(mean, valid_pixels(raster) & np.isfinite(mean))


@dataclass(frozen=True, slots=True)
class SarTile:
    """SAR image of a tile, as far as labels are held against it.

    Attributes:
        profile: Header of the file.
        image: The image; None where it is not north up in the sensor's CRS, or is not to be had.
    """

    profile: RasterProfile
    image: Backscatter | None

    def offsets(
        self, outlines: Iterable[shapely.Polygon], orientation: Orientation | None
    ) -> dict[str, float]:
        """Return how far the image lies beside outlines, metres, by name of ``geolocation.OFFSETS``.

        Args:
            outlines: Outlines of buildings in the image's CRS; what lies beside the image is cut off.
            orientation: Side that it was taken from, None where that is not known.
        """
        if self.image is None:
            return {}
        height, width = self.profile.shape
        placed = (to_pixels(outline, self.profile.transform) for outline in outlines)
        parts = [part for outline in placed for part in clip(outline, height, width)]
        return outline_offsets(
            self.image.mean,
            self.image.valid,
            rasterise_instances(parts, height, width) > 0,
            pixel_m=self.profile.resolution,
            orientation=orientation,
        )
