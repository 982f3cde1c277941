"""Reader and writer of GeoTIFF bytes; what is read comes from untrusted sources.

GDAL opens over a hundred formats, some of which (VRT above all) name other files or URLs to read. Bytes from
outside are therefore opened from memory with the GTiff driver alone, their header is held against limits
before a pixel is decoded, and whatever GDAL dislikes becomes a :class:`BadDataError` naming the file.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.windows import Window

from components.contract.errors import BadDataError, StormsightError
from components.lib.files import atomic_file
from components.lib.foreign import one_line

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""First bytes of TIFF and BigTIFF, either byte order."""

GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no sidecar files
    "GDAL_GEOREF_SOURCES": "INTERNAL",  # no .tfw, .tab, .aux.xml
    "GDAL_PAM_ENABLED": "NO",
    "GTIFF_IGNORE_READ_ERRORS": "NO",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterLimits:
    """Size that a header may claim before it counts as a decompression bomb.

    Attributes:
        max_side_px: Largest height or width, pixels.
        max_bands: Largest number of bands.
        max_bytes: Largest decoded size, bytes; None where a file is only read window by window.
        max_block_bytes: Largest decoded block, bytes: the least that GDAL decodes.
    """

    max_side_px: int = 20_000
    max_bands: int = 32
    max_bytes: int | None = 512 * 2**20
    max_block_bytes: int = 256 * 2**20


DEFAULT_LIMITS = RasterLimits()
"""A SpaceNet 6 SAR tile decodes to 13 MB; the largest sample crop we read is below 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterProfile:
    """Facts of a GeoTIFF's header.

    Attributes:
        name: File name, for messages.
        count: Number of bands.
        height: Rows.
        width: Columns.
        dtype: Pixel type of all bands, GDAL's name (``uint8``, ``float32``, ``complex_int16``...).
        transform: Pixel to CRS coordinates; the identity where the file has none.
        crs: ``EPSG:<code>`` where the CRS is a registered one, WKT otherwise, None without a CRS.
        nodata: Declared no-data value, or None.
        descriptions: Each band's description, or the colour that it is declared to show; "" without either.
    """

    name: str
    count: int
    height: int
    width: int
    dtype: str
    transform: Affine
    crs: str | None
    nodata: float | None
    descriptions: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), pixels."""
        return self.height, self.width

    @property
    def resolution(self) -> tuple[float, float]:
        """Pixel size (x, y) in CRS units, both positive for any orientation of the axes."""
        t = self.transform
        return float(np.hypot(t.a, t.d)), float(np.hypot(t.b, t.e))


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """A decoded GeoTIFF.

    Attributes:
        array: Pixels, (C, H, W), the file's dtype (complex integers become complex64).
        profile: The header.
        masked: (H, W) bool, where the file's own mask says that there are no data; None without a mask.
    """

    array: npt.NDArray[Any]
    profile: RasterProfile
    masked: npt.NDArray[np.bool_] | None = None

    @property
    def transform(self) -> Affine:
        """Pixel to CRS coordinates."""
        return self.profile.transform

    @property
    def crs(self) -> str | None:
        """``EPSG:<code>``, WKT, or None."""
        return self.profile.crs

    @property
    def nodata(self) -> float | None:
        """Declared no-data value, or None."""
        return self.profile.nodata


def profile_geotiff(content: bytes, name: str, limits: RasterLimits = DEFAULT_LIMITS) -> RasterProfile:
    """Read only the header of a GeoTIFF held in memory.

    Args:
        content: The file's bytes, trusted in nothing.
        name: File name, for messages.
        limits: Size that the header may claim.

    Raises:
        BadDataError: If the bytes are no GeoTIFF, or the header is damaged or beyond ``limits``.
    """
    with opened(content, name, limits) as dataset:
        return profile_of(dataset, name)


def read_geotiff(content: bytes, name: str, limits: RasterLimits = DEFAULT_LIMITS) -> Raster:
    """Decode a GeoTIFF held in memory.

    Args:
        content: The file's bytes, trusted in nothing.
        name: File name, for messages.
        limits: Size that the header may claim.

    Returns:
        All bands, (C, H, W), with the header.

    Raises:
        BadDataError: As :func:`profile_geotiff`, and if pixels are truncated or corrupt.
    """
    with opened(content, name, limits) as dataset:
        return Raster(array=dataset.read(), profile=profile_of(dataset, name), masked=mask_of(dataset))


def encode_geotiff(
    array: npt.NDArray[Any],
    *,
    transform: Affine,
    crs: str | None,
    nodata: float | None = None,
    compress: str | None = "deflate",
) -> bytes:
    """Bytes of a GeoTIFF; the same input gives the same bytes.

    Args:
        array: Pixels, (C, H, W).
        transform: Pixel to CRS coordinates.
        crs: Anything rasterio understands, such as ``EPSG:32631``.
        nodata: Value declared as no-data.
        compress: GDAL's name of a lossless compression, or None.
    """
    bands, height, width = array.shape
    options: dict[str, Any] = {} if compress is None else {"compress": compress}
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": height,
        "width": width,
        "dtype": array.dtype,
        "transform": transform,
        "crs": crs,
        "nodata": nodata,
        **options,
    }
    with rasterio.Env(**GDAL_OPTIONS), MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(array)
        return bytes(memory.read())


def write_geotiff(
    path: Path,
    array: npt.NDArray[Any],
    *,
    transform: Affine,
    crs: str | None,
    nodata: float | None = None,
    compress: str | None = "deflate",
) -> None:
    """Write ``array`` (C, H, W) to ``path``, whole or not at all; arguments as :func:`encode_geotiff`."""
    content = encode_geotiff(array, transform=transform, crs=crs, nodata=nodata, compress=compress)
    with atomic_file(path, sweep=False) as temporary:
        temporary.write_bytes(content)


@contextmanager
def opened(content: bytes, name: str, limits: RasterLimits, *, driver: str = "GTiff") -> Iterator[Any]:
    """Open a dataset whose header is within ``limits``; GDAL's errors become ``BadDataError``.

    Args:
        content: The file's bytes, trusted in nothing.
        name: File name, for messages.
        limits: Size that the header may claim.
        driver: GDAL's driver, the only one that is tried.
    """
    hide_undecodable_messages()
    if driver == "GTiff" and not content.startswith(MAGIC):
        what = "is empty" if not content else "is not a TIFF"
        raise bad_raster(name, what)
    with rasterio.Env(**GDAL_OPTIONS), MemoryFile(content) as memory:
        try:
            with memory.open(driver=driver, sharing=False) as dataset:
                check_header(dataset, name, limits, driver)
                yield dataset
        except StormsightError:
            raise
        except Exception as error:  # the seam: whatever GDAL and rasterio raise is about these bytes
            raise bad_raster(name, f"cannot be decoded: {reason_of(error, memory.name)}") from error


@lru_cache(maxsize=1)
def hide_undecodable_messages() -> None:
    """Keep Python from printing a traceback where rasterio cannot decode a message of GDAL.

    GDAL quotes the file's bytes in its messages; rasterio's logger takes them for UTF-8 in a C callback, from
    which nothing can be raised. The message reaches us as GDAL's error all the same.
    """
    previous = sys.unraisablehook

    def hook(raised: sys.UnraisableHookArgs) -> None:
        if not (raised.exc_type is UnicodeDecodeError and "rasterio" in str(raised.object)):
            previous(raised)

    sys.unraisablehook = hook


def reason_of(error: BaseException, path: str) -> str:
    """Return GDAL's message without the path of the file, in memory or not: reports can be compared."""
    words = one_line(error.__cause__ or error) or type(error).__name__
    return words.replace(path, "the file").replace(path.rpartition("/")[2], "the file")


def check_header(
    dataset: Any,  # noqa: ANN401 - rasterio is untyped
    name: str,
    limits: RasterLimits,
    driver: str = "GTiff",
) -> None:
    """Check an opened dataset's header before a pixel is decoded.

    Raises:
        BadDataError: If it is beyond ``limits``, refers to other files, or states what no product has.
    """
    if dataset.driver != driver:
        raise bad_raster(name, f"was opened by GDAL's {dataset.driver} driver, only {driver} is allowed")
    if len(set(dataset.dtypes)) != 1:
        raise bad_raster(name, f"mixes pixel types {', '.join(dataset.dtypes)}")
    if max(dataset.height, dataset.width) > limits.max_side_px or dataset.count > limits.max_bands:
        raise bad_raster(
            name,
            f"claims {dataset.count} bands of {dataset.height} x {dataset.width} pixels, beyond the limit of "
            f"{limits.max_bands} bands and {limits.max_side_px} pixels a side",
        )
    pixel_bytes = dataset.count * _item_size(dataset.dtypes[0])
    needed = pixel_bytes * dataset.height * dataset.width
    if limits.max_bytes is not None and needed > limits.max_bytes:
        raise bad_raster(name, f"would decode to {needed:,} bytes, beyond the limit of {limits.max_bytes:,}")
    block = pixel_bytes * max(rows * columns for rows, columns in dataset.block_shapes)
    if block > limits.max_block_bytes:
        limit = f"beyond the limit of {limits.max_block_bytes:,}"
        raise bad_raster(name, f"has blocks that would decode to {block:,} bytes, {limit}")
    if dataset.tags(ns="OVERVIEWS"):
        # GDAL would follow OVERVIEW_FILE to any path or URL that the file names.
        raise bad_raster(name, "refers to an overview file outside itself")
    if not all(map(math.isfinite, tuple(dataset.transform)[:6])) or dataset.transform.is_degenerate:
        raise bad_raster(name, f"has an unusable transform {tuple(dataset.transform)[:6]}")
    if set(dataset.scales) != {1.0} or set(dataset.offsets) != {0.0}:
        raise bad_raster(
            name,
            f"declares a scale or an offset of its values ({dataset.scales[0]:g}, {dataset.offsets[0]:g}), "
            "which no product has",
        )


def _item_size(dtype: str) -> int:
    return np.dtype("complex64" if dtype == "complex_int16" else dtype).itemsize


def profile_of(dataset: Any, name: str) -> RasterProfile:  # noqa: ANN401 - rasterio is untyped
    """Return the facts of an opened dataset's header."""
    return RasterProfile(
        name=name,
        count=int(dataset.count),
        height=int(dataset.height),
        width=int(dataset.width),
        dtype=str(dataset.dtypes[0]),
        transform=dataset.transform,
        crs=_crs_name(dataset.crs.to_wkt()) if dataset.crs else None,
        nodata=None if dataset.nodata is None else float(dataset.nodata),
        descriptions=tuple(
            description or colour.name
            for description, colour in zip(dataset.descriptions, dataset.colorinterp, strict=True)
        ),
    )


def mask_of(dataset: Any, window: Window | None = None) -> npt.NDArray[np.bool_] | None:  # noqa: ANN401
    """Return where the file's own mask says that there are no data, (H, W); None without a mask."""
    flags = dataset.mask_flag_enums[0]
    if MaskFlags.per_dataset not in flags or MaskFlags.alpha in flags:
        return None
    return np.asarray(dataset.read_masks(1, window=window) == 0)


@lru_cache(maxsize=64)
def _crs_name(wkt: str) -> str:
    """``EPSG:<code>`` of a registered CRS, else its WKT; cached, as the look-up costs milliseconds."""
    code = CRS.from_wkt(wkt).to_epsg()
    return wkt if code is None else f"EPSG:{code}"


def bad_raster(name: str, what: str) -> BadDataError:
    """Return the error about a raster's bytes."""
    return BadDataError(f"{name} {what}", next_step="fetch the file again, or leave the tile out")
