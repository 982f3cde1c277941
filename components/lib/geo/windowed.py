"""Windows of GeoTIFF files that are too large for memory; the files come from untrusted sources.

The rules of :mod:`components.lib.geo.raster` hold here, too: the GTiff driver alone, no sidecar files, the
header held against limits before a pixel is decoded. Only the size of the whole is not bounded, as it is
never decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import rasterio
from rasterio.windows import Window

from components.contract.errors import BadDataError, MissingInputError, StormsightError
from components.lib.geo.raster import (
    GDAL_OPTIONS,
    MAGIC,
    Raster,
    RasterLimits,
    RasterProfile,
    bad_raster,
    check_header,
    hide_undecodable_messages,
    mask_of,
    profile_of,
    reason_of,
)
from components.lib.mapping.blocks import Box

SCENE_LIMITS = RasterLimits(max_side_px=200_000, max_bytes=None, max_block_bytes=128 * 2**20)
"""Size that the header of a whole scene may claim."""

CACHE_BYTES = 64 * 2**20
"""Decoded blocks that GDAL keeps for all files; by default it takes a twentieth of the machine's memory."""

# Not GTIFF_DIRECT_IO: it reads what a truncated file lacks as zeros, without an error (GDAL 3.10.3).
_OPTIONS = {**GDAL_OPTIONS, "GDAL_CACHEMAX": CACHE_BYTES}

Identity = tuple[int, int, int, int]


class WindowedGeoTiff:
    """GeoTIFF file that is read window by window, by several threads at a time.

    Args:
        path: The file; trusted in nothing.
        name: File name, for messages.
        limits: Size that the header may claim.

    Attributes:
        profile: The header.
        block_shape: Rows and columns that are decoded at once.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If it is no GeoTIFF, or its header is damaged or beyond ``limits``.
    """

    def __init__(self, path: Path, name: str, limits: RasterLimits = SCENE_LIMITS) -> None:
        self._path = _local(path, name)
        self._name = name
        self._limits = limits
        self._identity = _identity(self._path)
        self._lock = Lock()
        self._idle: list[Any] = []
        with self._dataset() as dataset:
            self.profile: RasterProfile = profile_of(dataset, name)
            self.block_shape: tuple[int, int] = tuple(dataset.block_shapes[0])

    def read(self, box: Box) -> Raster:
        """Decode the pixels of ``box``, which lies within the raster.

        Returns:
            All bands, (C, H, W), with the header of the whole file.

        Raises:
            BadDataError: If the file is truncated or corrupt there, or was replaced since it was opened.
        """
        height, width = box.shape
        window = Window(box.left, box.top, width, height)
        with self._dataset() as dataset:
            return Raster(
                array=dataset.read(window=window), profile=self.profile, masked=mask_of(dataset, window)
            )

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _dataset(self) -> Iterator[Any]:
        """Lend a dataset to one thread: GDAL's are not safe to share."""
        hide_undecodable_messages()
        with rasterio.Env(**_OPTIONS):
            try:
                if _identity(self._path) != self._identity:
                    raise changed(self._name)
                with self._lock:
                    dataset = self._idle.pop() if self._idle else None
                if dataset is None:
                    dataset = self._open()
                yield dataset
            except StormsightError:
                raise
            except Exception as error:  # the seam: whatever GDAL and rasterio raise is about this file
                what = f"cannot be decoded: {reason_of(error, str(self._path))}"
                raise bad_raster(self._name, what) from error
            # After an error the dataset is dropped: its state is unknown.
            with self._lock:
                self._idle.append(dataset)

    def _open(self) -> Any:  # noqa: ANN401 - rasterio is untyped
        dataset = rasterio.open(self._path, driver="GTiff", sharing=False)
        check_header(dataset, self._name, self._limits)
        return dataset


def changed(name: str) -> BadDataError:
    """Return the error about a file that is no longer the one that was opened."""
    return BadDataError(
        f"{name} changed while it was read",
        next_step="run the command again when nothing writes to the file",
    )


def _local(path: Path, name: str) -> Path:
    """Return the absolute path of a local TIFF file; other paths GDAL might take for an address."""
    try:
        resolved = path.resolve(strict=True)
        with resolved.open("rb") as file:
            start = file.read(4)
    except (OSError, ValueError) as error:
        why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise MissingInputError(f"{name} {why}", next_step="check the path and its permissions") from error
    if start not in MAGIC:
        raise bad_raster(name, "is empty" if not start else "is not a TIFF")
    return resolved


def _identity(path: Path) -> Identity:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
