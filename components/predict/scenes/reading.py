"""Steps from a raster's bands to the pixels of a scene, for one sensor and one kind of image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.base import Product, Sensor
from components.lib.datasets.scaling import scale_sar
from components.lib.datasets.sensors import dataset_of, get_sensor, known_sensors
from components.lib.foreign import one_line
from components.lib.geo.bands import Mask, in_band_order, valid_pixels
from components.lib.geo.raster import Raster, RasterProfile
from components.lib.geo.resample import Float, blend
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels
from components.lib.nets.config import Modality
from components.predict.scenes.place import Place

_REAL_NUMBERS = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class Reading:
    """Conversion of images of one sensor and modality into pixels of the training store's kind.

    Attributes:
        sensor: SAR sensor, also of the optical images that belong to it.
        modality: ``sar`` or ``optical``.
        product: Kind of file that is read.
    """

    sensor: Sensor
    modality: Modality
    product: Product

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
            next_step="give the sensor and modality that the file is of, or convert it to that product "
            "(gdal_translate -b -ot -scale)",
        )

    def values(self, raster: Raster) -> tuple[Float, Mask]:
        """Return the bands in the product's order as float32, (C, H, W), and where they are data, (H, W)."""
        ordered = in_band_order(raster, self.bands)
        with np.errstate(over="ignore"):  # a value beyond float32 is beyond every sensor's range as well
            return ordered.array.astype(np.float32, copy=False), valid_pixels(ordered)

    def pixels(self, values: Float, valid: Mask) -> Pixels:
        """Return values on the scene's grid as pixels, (H, W, 4) uint8, 0 where not valid."""
        if self.modality == "sar":
            scaled: npt.NDArray[np.uint8] = scale_sar(values, valid, self.sensor.scale_limits)
            return scaled[..., list(self.sensor.quad_pol_source)]
        rgb = np.rint(np.where(valid, values, np.float32(0))).astype(np.uint8)
        return np.ascontiguousarray(np.moveaxis(rgb[list(self.product.quad_pol_source)], 0, -1))


def reading_of(sensor: str, modality: Modality) -> Reading:
    """Return the reading of a sensor's images.

    Raises:
        ParameterError: If the sensor is unknown, or no optical images belong to it.
    """
    found, dataset = get_sensor(sensor), dataset_of(sensor)
    if modality == "sar":
        return Reading(found, modality, dataset.sar)
    if not found.paired_optical:
        paired = ", ".join(name for name, known in known_sensors().items() if known.paired_optical)
        raise ParameterError(f"sensor {sensor} has no optical images", next_step=f"use one of {paired}")
    return Reading(found, modality, dataset.optical)


Read = Callable[[Box], Raster]
"""Decoder of a box of a file's pixels, in the order of the file's rows."""

_DECODED_PX, _CONVERTED_PX = 1 << 20, 1 << 17
"""Pixels that are decoded at a time, and those converted: float32 of all bands takes several times the room
of the result, and new memory costs more than the arithmetic on it."""


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
    for part in _by_rows(inner, _DECODED_PX):
        if not place.holds(part):
            continue
        needed = place.needed(part)
        raster = _from_north(read(place.stored(needed)), place)
        for piece in _by_rows(part, _CONVERTED_PX):
            pixels[piece.within(box)] = _convert(
                piece, crop(raster, needed, place.needed(piece)), place, reading
            )
    return pixels


def crop(raster: Raster, held: Box, wanted: Box) -> Raster:
    """Return the box ``wanted`` of a raster whose array holds the box ``held``, as views."""
    rows, columns = wanted.within(held)
    masked = None if raster.masked is None else raster.masked[rows, columns]
    return replace(raster, array=raster.array[:, rows, columns], masked=masked)


def _by_rows(box: Box, most_px: int) -> Iterator[Box]:
    step = max(1, most_px // box.shape[1])
    for top in range(box.top, box.bottom, step):
        yield Box(top, box.left, min(top + step, box.bottom), box.right)


def _from_north(raster: Raster, place: Place) -> Raster:
    if not place.south_up:
        return raster
    masked = None if raster.masked is None else raster.masked[::-1]
    return replace(raster, array=raster.array[:, ::-1], masked=masked)


def _convert(box: Box, raster: Raster, place: Place, reading: Reading) -> Pixels:
    """Return the pixels of ``box`` from the raster's pixels that they need."""
    values, valid = reading.values(raster)
    if place.grid == place.native:
        return reading.pixels(values, valid)
    rows, columns = place.rows.taps(box.top, box.bottom), place.columns.taps(box.left, box.right)
    values, valid = blend(values, valid, rows.within(rows.span[0]), columns.within(columns.span[0]))
    inside = place.rows.inside(box.top, box.bottom)[:, None] & place.columns.inside(box.left, box.right)
    return reading.pixels(values, valid & inside)


def unknown_sensor(what: str) -> ParameterError:
    """Return the error for images whose names tell no sensor."""
    return ParameterError(
        f"the sensor of {one_line(what)} is unknown: its name follows no data set's convention",
        next_step=f"give --sensor: one of {', '.join(known_sensors())}",
    )
