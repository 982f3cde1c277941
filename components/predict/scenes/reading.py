"""Steps from a raster's bands to the pixels of a scene, for one sensor and one kind of image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.base import Product, Sensor
from components.lib.datasets.scaling import scale_sar
from components.lib.datasets.sensors import dataset_of, get_sensor, known_sensors
from components.lib.foreign import one_line
from components.lib.geo.bands import Mask, in_band_order, valid_pixels
from components.lib.geo.grid import Grid, grid_of
from components.lib.geo.raster import Raster, RasterProfile
from components.lib.geo.resample import Axis, Float, blend
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels
from components.lib.nets.config import Modality

_REAL_NUMBERS = ("float32", "float64")


@dataclass(frozen=True)
class Reading:
    """How images of one sensor and modality become pixels of the training store's kind.

    Attributes:
        sensor: SAR sensor, also of the optical images that belong to it.
        modality: ``sar`` or ``optical``.
    """

    sensor: Sensor
    modality: Modality

    @cached_property
    def product(self) -> Product:
        """Kind of file that is read.

        Raises:
            ParameterError: If no optical images belong to the sensor.
        """
        dataset = dataset_of(self.sensor.name)
        if self.modality == "sar":
            return dataset.sar
        if not self.sensor.paired_optical:
            paired = ", ".join(name for name, sensor in known_sensors().items() if sensor.paired_optical)
            raise ParameterError(
                f"sensor {self.sensor.name} has no optical images", next_step=f"use one of {paired}"
            )
        return dataset.optical

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands in file order."""
        return self.sensor.bands if self.modality == "sar" else self.product.bands

    @property
    def title(self) -> str:
        """Product and sensor, for messages."""
        return f"{self.product.name} of {self.sensor.name}"

    def check(self, profile: RasterProfile) -> None:
        """Check number and pixel type of a file's bands.

        Raises:
            BadDataError: If they are not the product's.
        """
        kinds = _REAL_NUMBERS if self.modality == "sar" else (self.product.dtype,)
        if profile.count == len(self.bands) and profile.dtype in kinds:
            return
        raise BadDataError(
            f"{profile.name} has {profile.count} band{'s' * (profile.count != 1)} of {profile.dtype}; "
            f"{self.title} has {len(self.bands)} of {kinds[0]} ({', '.join(self.bands)})",
            next_step="give --sensor and --modality of this file, or convert it to that product",
        )

    def values(self, raster: Raster) -> tuple[Float, Mask]:
        """Return the bands in the product's order as float32, (C, H, W), and where they are data, (H, W)."""
        ordered = in_band_order(raster, self.bands)
        with np.errstate(over="ignore"):  # a value beyond float32 is beyond every sensor's range as well
            return ordered.array.astype(np.float32), valid_pixels(ordered)

    def pixels(self, values: Float, valid: Mask) -> Pixels:
        """Return values on the scene's grid as pixels, (H, W, 4) uint8, 0 where not valid."""
        if self.modality == "sar":
            scaled: npt.NDArray[np.uint8] = scale_sar(values, valid, self.sensor.scale_limits)
            return np.ascontiguousarray(scaled[..., list(self.sensor.quad_pol_source)])
        rgb = np.rint(np.where(valid, values, np.float32(0))).astype(np.uint8)
        return np.ascontiguousarray(np.moveaxis(rgb[list(self.product.quad_pol_source)], 0, -1))


def reading_of(sensor: str, modality: Modality) -> Reading:
    """Return the reading of a sensor's images.

    Raises:
        ParameterError: If the sensor is unknown.
    """
    return Reading(get_sensor(sensor), modality)


@dataclass(frozen=True, slots=True)
class Place:
    """A raster on the ground, and the scene's grid over it.

    Attributes:
        native: Grid of the raster's own pixels, north up.
        grid: Grid of the scene.
        south_up: True if the raster's first row is the southernmost one.
    """

    native: Grid
    grid: Grid
    south_up: bool

    @property
    def rows(self) -> Axis:
        """Rows of the scene's grid on the raster's."""
        if self._same_ground:
            return Axis.over(self.native.height, self.grid.height)
        shift = (self.native.y_top_m - self.grid.y_top_m) / self.native.gsd_m
        return Axis(self.native.height, self.grid.gsd_m / self.native.gsd_m, shift)

    @property
    def columns(self) -> Axis:
        """Columns of the scene's grid on the raster's."""
        if self._same_ground:
            return Axis.over(self.native.width, self.grid.width)
        shift = (self.grid.x_left_m - self.native.x_left_m) / self.native.gsd_m
        return Axis(self.native.width, self.grid.gsd_m / self.native.gsd_m, shift)

    @property
    def _same_ground(self) -> bool:
        """Whether the scene's grid is the raster's, resized as the training store does it."""
        return self.grid == self.native.resized()

    def stored_rows(self, top: int, bottom: int) -> tuple[int, int]:
        """Return the rows of the file that hold rows ``top`` to ``bottom - 1``, counted from the north."""
        return (self.native.height - bottom, self.native.height - top) if self.south_up else (top, bottom)


def place_of(profile: RasterProfile) -> Place:
    """Return the place of a raster, its grid resized to the model's pixel size.

    Raises:
        BadDataError: If it has no georeference, or is turned, mirrored or not of square pixels.
    """
    name, t = profile.name, profile.transform
    if t.is_identity:
        raise BadDataError(
            f"{name} has no georeference: its place on the ground is unknown",
            next_step="write the georeference into the file (gdal_edit.py -a_srs -a_ullr)",
        )
    if t.b or t.d:
        raise BadDataError(
            f"{name} is rotated against north (transform {tuple(t)[:6]})",
            next_step="warp it onto a north-up grid (gdalwarp)",
        )
    if t.a < 0:
        raise BadDataError(
            f"{name} is mirrored: its columns run from east to west", next_step="warp it (gdalwarp)"
        )
    south_up = t.e > 0
    if south_up:
        north = type(t)(t.a, 0.0, t.c, 0.0, -t.e, t.f + t.e * profile.height)
        profile = replace(profile, transform=north)
    native = grid_of(profile)
    return Place(native, native.resized(), south_up)


Read = Callable[[Box], Raster]
"""Decoder of a box of a file's pixels, in the order of the file's rows."""

_CHUNK_PX = 1 << 20
"""Pixels that are converted at a time: float32 of all bands takes several times the room of the result."""


def read_pixels(box: Box, place: Place, reading: Reading, read: Read) -> Pixels:
    """Return the pixels of ``box`` of the scene's grid, (H, W, 4) uint8, 0 beyond the raster's ends.

    The same for a pixel whatever the box it is asked for in.

    Raises:
        BadDataError: If the file is damaged there.
    """
    pixels = np.zeros((*box.shape, 4), dtype=np.uint8)
    inner = box.shared(Box(0, 0, place.grid.height, place.grid.width))
    if not inner.area:
        return pixels
    step = max(1, _CHUNK_PX // inner.shape[1])
    for top in range(inner.top, inner.bottom, step):
        part = Box(top, inner.left, min(top + step, inner.bottom), inner.right)
        pixels[part.within(box)] = _part(part, place, reading, read)
    return pixels


def _part(box: Box, place: Place, reading: Reading, read: Read) -> Pixels:
    if place.grid == place.native:
        return reading.pixels(*_native(box, place, reading, read))
    row_axis, column_axis = place.rows, place.columns
    rows, columns = row_axis.taps(box.top, box.bottom), column_axis.taps(box.left, box.right)
    (top, bottom), (left, right) = rows.span, columns.span
    values, valid = _native(Box(top, left, bottom, right), place, reading, read)
    values, valid = blend(values, valid, rows.within(top), columns.within(left))
    inside = row_axis.inside(box.top, box.bottom)[:, None] & column_axis.inside(box.left, box.right)
    return reading.pixels(values, valid & inside)


def _native(box: Box, place: Place, reading: Reading, read: Read) -> tuple[Float, Mask]:
    """Return values and mask of a box of the raster's own pixels, counted from the north."""
    top, bottom = place.stored_rows(box.top, box.bottom)
    values, valid = reading.values(read(Box(top, box.left, bottom, box.right)))
    return (values[:, ::-1], valid[::-1]) if place.south_up else (values, valid)


def unknown_sensor(what: str) -> ParameterError:
    """Return the error for images whose names tell no sensor."""
    return ParameterError(
        f"the sensor of {one_line(what)} is unknown: its name follows no data set's convention",
        next_step=f"give --sensor: one of {', '.join(known_sensors())}",
    )
