"""Raster of one tile together with its place on the ground; NumPy only, so that training can import it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class PixelTransform(NamedTuple):
    """Affine map from pixel to map coordinates, its six numbers in rasterio's order.

    ``x_map = a * x + b * y + c`` and ``y_map = d * x + e * y + f``, where (x, y) = (0, 0) is the outer corner
    of the first pixel, x runs along columns and y along rows. ``rasterio.transform.Affine(*transform)`` is
    the same map.
    """

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    @classmethod
    def north_up(cls, *, x_left_m: float, y_top_m: float, gsd_m: float) -> PixelTransform:
        """Return the map of a north-up grid of square pixels.

        Args:
            x_left_m: West edge in metres of the projected CRS.
            y_top_m: North edge in metres.
            gsd_m: Pixel size in metres.
        """
        return cls(gsd_m, 0.0, x_left_m, 0.0, -gsd_m, y_top_m)

    def turned(self, height: int, width: int) -> PixelTransform:
        """Return the map of the same raster of ``height`` x ``width`` pixels after a turn by 180 degrees."""
        x, y = self.apply(np.array([[width, height]], dtype=np.float64))[0]
        return PixelTransform(-self.a, -self.b, float(x), -self.d, -self.e, float(y))

    def apply(self, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Map pixel coordinates (N, 2) to map coordinates (N, 2)."""
        x, y = xy[:, 0], xy[:, 1]
        return np.stack([self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeoArray:
    """Georeferenced raster: pixels as read, or what a network predicts of them.

    Attributes:
        values: (C, H, W), any number format.
        bands: Name of each channel.
        valid: (H, W) bool, False where the SAR image has no data.
        transform: From pixels of ``values`` as it lies, turned or not, to coordinates of ``crs``.
        crs: Coordinate reference system, such as ``EPSG:32631``.
        sensor: SAR sensor of the tile.
        orientation: 1 where ``values`` is turned by 180 degrees against north-up, 0 where it is north-up.

    Raises:
        ValueError: If the shapes do not belong together.
    """

    values: npt.NDArray[Any]
    bands: tuple[str, ...]
    valid: npt.NDArray[np.bool_]
    transform: PixelTransform
    crs: str
    sensor: str
    orientation: int

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.bands), *self.valid.shape):
            raise ValueError(
                f"values {self.values.shape} do not fit bands {self.bands} and valid {self.valid.shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self.valid.shape
        return height, width

    def band(self, name: str) -> npt.NDArray[Any]:
        """Return the channel of that name, (H, W).

        Raises:
            KeyError: If there is none.
        """
        if name not in self.bands:
            raise KeyError(f"no band {name!r}; the bands are {', '.join(self.bands)}")
        channel: npt.NDArray[Any] = self.values[self.bands.index(name)]
        return channel

    def with_values(self, values: npt.NDArray[Any], bands: tuple[str, ...]) -> GeoArray:
        """Return other channels (C, H, W) on the same pixels."""
        return replace(self, values=values, bands=bands)

    def north_up(self) -> GeoArray:
        """Return the raster with north at the top, as views of the same memory."""
        if self.orientation == 0:
            return self
        return replace(
            self,
            values=self.values[:, ::-1, ::-1],
            valid=self.valid[::-1, ::-1],
            transform=self.transform.turned(*self.shape),
            orientation=0,
        )
