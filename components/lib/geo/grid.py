"""The common ground grid: north-up squares of half a metre."""

from __future__ import annotations

from dataclasses import dataclass

from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.datasets.sensors import get_sensor
from components.lib.geo.raster import RasterProfile

GRID_M = get_sensor("capella-airborne").gsd_m
"""Pixel size of the grid in metres: that of the real SpaceNet 6 products (docs/methods/spacenet6.md)."""

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Place of a tile on the ground.

    Attributes:
        x_left_m: West edge in metres of the tile's projected CRS.
        y_top_m: North edge in metres.
        gsd_m: Pixel size in metres.
        height: Rows.
        width: Columns.
    """

    x_left_m: float
    y_top_m: float
    gsd_m: float
    height: int
    width: int

    @property
    def transform(self) -> Affine:
        """Pixel to CRS coordinates."""
        return Affine(self.gsd_m, 0.0, self.x_left_m, 0.0, -self.gsd_m, self.y_top_m)

    @property
    def side_m(self) -> tuple[float, float]:
        """Ground extent (east-west, north-south) in metres."""
        return self.width * self.gsd_m, self.height * self.gsd_m

    def resized(self, gsd_m: float = GRID_M) -> Grid:
        """Return the grid of pixel size ``gsd_m`` over the same ground, extent rounded to whole pixels.

        A pixel size within a thousandth of ``gsd_m`` counts as equal, so that a tile of the grid's own
        resolution is never resampled for a rounding in its header.
        """
        if abs(self.gsd_m / gsd_m - 1) <= _TOLERANCE:
            return self
        factor = self.gsd_m / gsd_m
        return Grid(
            x_left_m=self.x_left_m,
            y_top_m=self.y_top_m,
            gsd_m=gsd_m,
            height=round(self.height * factor),
            width=round(self.width * factor),
        )


def grid_of(profile: RasterProfile) -> Grid:
    """Return the grid of a raster.

    Raises:
        BadDataError: If the raster is not a north-up grid of square pixels.
    """
    t = profile.transform
    if t.b or t.d or t.a <= 0 or t.e >= 0 or abs(t.a / -t.e - 1) > _TOLERANCE:
        raise BadDataError(
            f"{profile.name}: not a north-up grid of square pixels (transform {tuple(t)[:6]})",
            next_step="warp the raster onto a north-up grid, or leave the tile out",
        )
    return Grid(x_left_m=t.c, y_top_m=t.f, gsd_m=t.a, height=profile.height, width=profile.width)
