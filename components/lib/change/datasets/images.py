"""Decoding of images and labels: PNG, JPEG and GeoTIFF from outside, each by its own driver alone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp

from components.lib.geo.geoarray import PixelTransform
from components.lib.geo.raster import MAGIC, RasterLimits, bad_raster, mask_of, opened, profile_of

LIMITS = RasterLimits(max_side_px=20_000, max_bands=16, max_bytes=2**30)
"""Size that an image may claim: a whole scene of 20,000 x 17,000 pixels in three bands."""

MOST_FILE_BYTES = 2 * (LIMITS.max_bytes or 0)
"""Largest file that is read: an uncompressed image of the largest size, and room for its header."""

DRIVERS = {"GTiff": MAGIC, "PNG": (b"\x89PNG\r\n\x1a\n",), "JPEG": (b"\xff\xd8\xff",)}
"""First bytes of the formats that are read, by GDAL's driver."""

TIME_TAGS = ("TIFFTAG_DATETIME", "EXIF_DateTimeOriginal", "EXIF_DateTime")
"""Tags that tell when an image was taken, the most general last; ``YYYY:MM:DD HH:MM:SS``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """An image as its file holds it, palette images turned into colours.

    Attributes:
        bands: (H, W, C) of the file's number format, an alpha channel left out.
        no_data: (H, W) bool: transparent, masked, or of the declared no-data value in all bands.
        coloured: True if three bands are red, green and blue.
        place: Place of the pixels on the ground; None without georeference.
        crs: Coordinate reference system of ``place``, None without one.
        taken: Time at which the image was taken, if a tag tells; empty otherwise.
    """

    bands: npt.NDArray[Any]
    no_data: npt.NDArray[np.bool_]
    coloured: bool
    place: PixelTransform | None
    crs: str | None
    taken: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self.no_data.shape
        return height, width


def decode(content: bytes, name: str, limits: RasterLimits = LIMITS) -> Decoded:
    """Decode an image or a label.

    Args:
        content: The file's bytes, trusted in nothing.
        name: File name, for messages.
        limits: Size that the header may claim.

    Raises:
        BadDataError: If it is neither PNG, JPEG nor GeoTIFF, is damaged, or is beyond ``limits``.
    """
    driver = next((driver for driver, magic in DRIVERS.items() if content.startswith(magic)), None)
    if driver is None:
        raise bad_raster(name, "is empty" if not content else "is neither PNG, JPEG nor TIFF")
    if driver == "PNG":
        check_png(content, name)
    # What is missing of a JPEG would be grey, with a warning.
    with (
        rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING="YES"),
        opened(content, name, limits, driver=driver) as dataset,
    ):
        profile = profile_of(dataset, name)
        array = np.moveaxis(dataset.read(), 0, -1)
        interpretation = list(dataset.colorinterp)
        palette = _palette(dataset) if interpretation[0] == ColorInterp.palette else None
        masked = mask_of(dataset)
        tags = dataset.tags()
    no_data = np.zeros(array.shape[:2], dtype=bool) if masked is None else masked
    if palette is not None and array.shape[-1] == 1 and array.dtype == np.uint8:
        array = palette[array[..., 0]]
        interpretation = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    elif profile.nodata is not None:
        no_data = no_data | (array == profile.nodata).all(axis=-1)
    alpha = next((i for i, kind in enumerate(interpretation) if kind == ColorInterp.alpha), None)
    if alpha is not None:
        no_data = no_data | (array[..., alpha] == 0)
        array = np.delete(array, alpha, axis=-1)
    place = PixelTransform(*tuple(profile.transform)[:6]) if profile.crs else None
    taken = next((str(tags[tag]) for tag in TIME_TAGS if tag in tags), "")
    coloured = array.shape[-1] == 3
    return Decoded(bands=array, no_data=no_data, coloured=coloured, place=place, crs=profile.crs, taken=taken)


def check_png(content: bytes, name: str) -> None:
    """Check a PNG's chunks and their check sums: GDAL gives the missing rows of a truncated one any value.

    Raises:
        BadDataError: If it is truncated or damaged.
    """
    at = len(DRIVERS["PNG"][0])
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind, end = content[at + 4 : at + 8], at + 12 + length
        if end > len(content):
            break
        if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise bad_raster(name, f"cannot be decoded: a chunk at byte {at} is damaged")
        if kind == b"IEND":
            return
        at = end
    raise bad_raster(name, f"cannot be decoded: it ends after {len(content):,} bytes, before its last chunk")


def _palette(dataset: Any) -> npt.NDArray[np.uint8] | None:  # noqa: ANN401 - rasterio is untyped
    """Return the colours of a palette image, (256, 4) RGBA; indices beyond it are transparent black."""
    try:
        colours = dataset.colormap(1)
    except ValueError:  # declared as a palette image, and without a palette
        return None
    table = np.zeros((256, 4), dtype=np.uint8)
    for index, colour in colours.items():
        if 0 <= index < 256:
            table[index] = colour
    return table
