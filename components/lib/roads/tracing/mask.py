"""Mask of roads on the ground, and its plane of metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.geo.metric import in_metres, metres_per_unit
from components.lib.roads.graph.model import Floats

BAND: Final = "road"

_SKEW: Final = 1e-6
"""Cosine of the angle between the axes of a raster, up to which they count as perpendicular."""

_SMALLEST_M, _LARGEST_M = 0.01, 100.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoadMask:
    """Pixels that are road; pixels without data are none.

    Attributes:
        road: (H, W) bool.
        transform: From pixels to coordinates of ``crs``.
        crs: ``EPSG:<code>`` or WKT of a horizontal CRS.
        name: Name of the raster, for messages.
    """

    road: Mask
    transform: PixelTransform
    crs: str
    name: str = "the mask"

    @classmethod
    def of_probability(cls, image: GeoArray, threshold: float, band: str = BAND) -> RoadMask:
        """Return the mask of a raster of probabilities.

        Args:
            image: Probabilities, turned or north-up.
            threshold: A pixel is road where its probability exceeds this.
            band: Band that holds the probability.
        """
        upright = image.north_up()
        road = (upright.band(band) > threshold) & upright.valid
        return cls(road=road, transform=upright.transform, crs=upright.crs)

    def pixel_m(self) -> tuple[float, float]:
        """Return the size of a pixel along columns and along rows, metres.

        In a CRS that counts true metres it follows from the transform; in others, degrees among them, it is
        measured on the ellipsoid at the middle of the raster.

        Raises:
            BadDataError: If the axes are not perpendicular, a side is not between 1 cm and 100 m, or the CRS
                is no horizontal one.
        """
        t = self.transform
        along, across = np.array([t.a, t.d]), np.array([t.b, t.e])
        if not in_metres(self.crs, self.name):
            height, width = self.road.shape
            middle = t.apply(np.array([[width / 2, height / 2]]))[0]
            scale = metres_per_unit(middle, self.crs, self.name)
            along, across = along * scale, across * scale
        sides = float(np.hypot(*along)), float(np.hypot(*across))
        if not all(_SMALLEST_M <= side <= _LARGEST_M for side in sides):  # nor NaN, beyond a CRS's domain
            raise BadDataError(
                f"{self.name}: its pixels measure {sides[0]:g} x {sides[1]:g} m in {self.crs[:40]}",
                next_step="check its transform and its CRS",
            )
        if abs(float(along @ across)) > _SKEW * sides[0] * sides[1]:
            raise BadDataError(
                f"{self.name}: the axes of its pixels are not perpendicular (transform {tuple(t)})",
                next_step="warp the raster onto a grid whose pixels are rectangles",
            )
        return sides

    def to_map(self, pixels: Floats) -> Floats:
        """Map pixel coordinates (N, 2) to coordinates of ``crs`` (N, 2)."""
        return self.transform.apply(pixels)
