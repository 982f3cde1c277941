"""Checks of a scene's place and values: what a model would map without complaint, and wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.contract.errors import BadDataError
from components.lib.geo.bands import Mask
from components.lib.geo.crs import LON_LAT, is_geographic, move
from components.lib.geo.grid import GRID_M, Grid
from components.lib.geo.resample import Float
from components.predict.scenes.reading import Reading

LARGEST_NODATA_SHARE = 0.99
LARGEST_SHARE_BEYOND_RANGE = 0.01
LARGEST_RESIZE = 10.0
"""Factor between a file's pixel size and the model's: what lies beyond is another product."""

MOST_SIDE_PX = 400_000
MOST_LATITUDE = 85.0
"""Degrees up to which Web Mercator, and so a map's page and tiles, can show a scene."""

_LARGEST_SCALE_ERROR = 0.01
_LINEAR_SHARE = 0.01
"""Share of the sensor's range in which values that are not logarithmic lie."""

_STEP_M = 1000.0
_EQUATOR_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563


def check_place(name: str, crs: str | None, native: Grid, grid: Grid) -> str:
    """Check CRS, pixel size and size of a scene.

    Returns:
        The CRS.

    Raises:
        BadDataError: If there is no CRS, it is not in metres on the ground, the pixel size is far from the
            model's, the scene has no pixel or too many of them, or web maps cannot show the place.
    """
    if crs is None:
        raise BadDataError(
            f"{name} has no coordinate reference system",
            next_step="write it into the file (gdal_edit.py -a_srs EPSG:...)",
        )
    if is_geographic(crs, name):
        raise BadDataError(
            f"{name} is in the geographic CRS {crs[:40]}: its pixels are degrees, not metres",
            next_step="warp it to the UTM zone of its ground (gdalwarp -t_srs EPSG:326..)",
        )
    factor = native.gsd_m / GRID_M
    if not 1 / LARGEST_RESIZE <= factor <= LARGEST_RESIZE:
        raise BadDataError(
            f"{name} has pixels of {native.gsd_m:g} m, models see {GRID_M:.2f} m: more than "
            f"{LARGEST_RESIZE:g} times apart",
            next_step="use an image of about the model's pixel size",
        )
    if not min(grid.height, grid.width):
        raise BadDataError(
            f"{name} has {native.height} x {native.width} pixels of {native.gsd_m:g} m: less than half of "
            f"one of {grid.gsd_m:.2f} m",
            next_step="leave it out",
        )
    if max(grid.height, grid.width) > MOST_SIDE_PX:
        raise BadDataError(
            f"{name} has {grid.height} x {grid.width} pixels of {grid.gsd_m:.2f} m, beyond {MOST_SIDE_PX} a "
            "side",
            next_step="cut it into several scenes",
        )
    _check_longitudes(name, crs, native)
    _check_scale(name, crs, native)
    return crs


def _check_scale(name: str, crs: str, grid: Grid) -> None:
    """Check that a unit of the CRS is a metre on the ground, which feet and Web Mercator's units are not."""
    width_m, height_m = grid.side_m
    x, y = grid.x_left_m + width_m / 2, grid.y_top_m - height_m / 2
    points = np.array([(x, y), (x + _STEP_M, y), (x, y + _STEP_M)])
    lon, lat = np.radians(move(points, crs, LON_LAT, name)).T
    square = _FLATTENING * (2 - _FLATTENING)
    bend = 1 - square * np.sin(lat[0]) ** 2
    north = (lat - lat[0]) * _EQUATOR_M * (1 - square) / bend**1.5
    east = ((lon - lon[0] + np.pi) % (2 * np.pi) - np.pi) * np.cos(lat[0]) * _EQUATOR_M / bend**0.5
    steps = np.hypot(north, east)[1:] / _STEP_M
    if np.abs(steps - 1).max() > _LARGEST_SCALE_ERROR:
        raise BadDataError(
            f"{name}: a unit of its CRS {crs[:40]} is {steps[0]:.3f} m on the ground at its middle",
            next_step="warp it to the UTM zone of its ground (gdalwarp), or correct its CRS",
        )


def _check_longitudes(name: str, crs: str, grid: Grid) -> None:
    """Check that the outline of the scene is one polygon in degrees, within the latitudes of web maps."""
    (x, y), (width_m, height_m) = (grid.x_left_m, grid.y_top_m), grid.side_m
    corners = np.array([(x + i * width_m, y - j * height_m) for i in (0, 1) for j in (0, 1)])
    lon, lat = move(corners, crs, LON_LAT, name).T
    if np.ptp(lon) > 180:  # its box in degrees would be the whole world's, and its picture empty
        raise BadDataError(
            f"{name} lies on both sides of the 180th meridian, or around a pole",
            next_step="cut it at the meridian (gdalwarp -te) and map the parts",
        )
    if np.abs(lat).max() > MOST_LATITUDE:
        raise BadDataError(
            f"{name} reaches {np.abs(lat).max():.1f} degrees from the equator; web maps end at "
            f"{MOST_LATITUDE:g}",
            next_step="leave it out",
        )


@dataclass(slots=True)
class Survey:
    """Counts over the pixels of a scene, or over windows sampled from it.

    Attributes:
        reading: Reading of the scene's files.
        sampled: True if not all pixels were counted.
        pixels: Pixels looked at.
        data: Those with data.
        values: Values of all bands of those with data.
        beyond: Values beyond the sensor's believable range.
        linear: Values in the lowest hundredth of that range.
        low: Smallest value.
        high: Largest value.
    """

    reading: Reading
    sampled: bool = False
    pixels: int = 0
    data: int = 0
    values: int = 0
    beyond: int = 0
    linear: int = 0
    low: float = np.inf
    high: float = -np.inf

    @property
    def nodata_share(self) -> float:
        """Share of the pixels looked at that have no data."""
        return 1.0 - self.data / max(1, self.pixels)

    def add(self, values: Float, valid: Mask) -> None:
        """Count values, (C, H, W), and their mask, (H, W)."""
        found = values[:, valid]
        self.pixels += valid.size
        self.data += found.shape[1]
        if self.reading.modality == "optical" or not found.size:
            return
        low, high = self.reading.sensor.valid_range
        self.values += found.size
        self.beyond += int(np.count_nonzero((found < low) | (found > high)))
        self.linear += int(np.count_nonzero(np.abs(found - low) < _LINEAR_SHARE * (high - low)))
        self.low = min(self.low, float(found.min()))
        self.high = max(self.high, float(found.max()))

    def merge(self, other: Survey) -> None:
        """Add the counts of another survey."""
        self.pixels += other.pixels
        self.data += other.data
        self.values += other.values
        self.beyond += other.beyond
        self.linear += other.linear
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def check(self, name: str) -> None:
        """Check the counts.

        Raises:
            BadDataError: If there are almost no data, or values of another product.
        """
        self.check_values(name)
        where = "its sampled windows" if self.sampled else "it"
        if not self.data:
            raise BadDataError(
                f"{name} holds nothing but no-data in {where}", next_step="leave it out, or fetch it again"
            )
        if self.nodata_share > LARGEST_NODATA_SHARE:
            raise BadDataError(
                f"{name} has no data in {self.nodata_share:.1%} of {where}, more than "
                f"{LARGEST_NODATA_SHARE:.0%}",
                next_step="cut it to the part with data, or leave it out",
            )

    def check_values(self, name: str) -> None:
        """Check the values of radar images alone.

        Raises:
            BadDataError: If they are values of another product.
        """
        if not self.values:
            return
        low, high = self.reading.sensor.valid_range
        seen = f"has values from {self.low:.4g} to {self.high:.4g}"
        expected = f"{self.reading.title} has {low:g} to {high:g}"
        if self.beyond > LARGEST_SHARE_BEYOND_RANGE * self.values:
            share = self.beyond / self.values
            raise BadDataError(
                f"{name} {seen}; {expected}, and {share:.1%} of them lie beyond",
                next_step="give the sensor of this edition (decibels and the release's intensity differ), or "
                "convert the values",
            )
        if self.linear > (1 - _LINEAR_SHARE) * self.values:
            raise BadDataError(
                f"{name} {seen}, as of linear intensity; {expected}, on a logarithmic scale",
                next_step="convert the values to the product's logarithmic scale",
            )
