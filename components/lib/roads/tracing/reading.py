"""Rasters of roads as masks, read in the blocks that they were written in."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.geo.geoarray import PixelTransform
from components.lib.geo.raster import (
    GDAL_OPTIONS,
    MAGIC,
    RasterProfile,
    bad_raster,
    mask_of,
    profile_of,
    reason_of,
)
from components.lib.roads.tracing.mask import Mask, RoadMask

_LOG = logging.getLogger(__name__)

MOST_PX: Final = 2**31 - 1
"""Pixels of the largest raster: parts of it are numbered by 32 bits."""

BACKGROUND, IGNORED, ROAD = 0, 127, 255
"""Values of a mask of stage osm; repeated here, as stages that trace depend on no code of OpenStreetMap."""

_MOST_BLOCK_PX: Final = 2**26
_STEP: Final = "write the raster anew as a GeoTIFF of one band with a CRS"


def read_mask(path: Path, threshold: float | None = None, default: float = 0.3) -> RoadMask:
    """Read a mask or a raster of probabilities, a byte a pixel in memory.

    Whole numbers without a scale are a mask: all but 0 is road, unless a threshold is given. Others are
    probabilities, as in ``probability.tif`` of a map, whose scale is followed. Ground without data (the
    declared value, the file's mask, NaN) is no road. A warning is told where a mask seems to be of stage osm,
    whose value for ignored ground is taken for road.

    Args:
        path: GeoTIFF of one band, trusted in nothing.
        threshold: A pixel is road where its value, scaled, exceeds this; None for the rule above.
        default: Threshold of probabilities if none is given.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If it is no GeoTIFF of one band with a CRS, or has no data at all, or probabilities
            beyond 0 and 1.
        ParameterError: If the threshold is not finite.
    """
    if not math.isfinite(default if threshold is None else threshold):
        raise ParameterError(f"threshold {threshold} is not finite", next_step="give a finite number")
    name = str(path)
    with _opened(path) as raster:
        profile = profile_of(raster, name)
        if profile.crs is None:
            raise BadDataError(f"{name} states no CRS", next_step=_STEP)
        rule = _Rule(profile, float(raster.scales[0]), threshold, default)
        road = np.zeros(profile.shape, dtype=bool)
        seen = False
        for window in _windows(raster):
            inner = window.toslices()
            road[inner], valid = rule.road(raster.read(1, window=window), mask_of(raster, window))
            seen |= valid
    if rule.takes_ignored_for_road:
        _LOG.warning(
            "%s has the values of a mask of stage osm alone, and %d, which says there that nothing is known, "
            "is taken for road: give --threshold %d to read it as no road",
            name,
            IGNORED,
            IGNORED,
        )
    if not seen:
        raise BadDataError(f"{name} has no data at all", next_step="leave it out")
    return RoadMask(road=road, transform=PixelTransform(*profile.transform[:6]), crs=profile.crs, name=name)


class _Rule:
    """Rule by which the values of a raster are road."""

    def __init__(self, profile: RasterProfile, scale: float, threshold: float | None, default: float) -> None:
        self._name, self._nodata = profile.name, profile.nodata
        whole = np.dtype(profile.dtype).kind in "ui"
        self._is_mask = threshold is None and whole and scale == 1.0
        self._is_probability = threshold is None and not self._is_mask
        self._least = (default if threshold is None else threshold) / scale
        self._most = 1.0 / scale
        self._has_ignored, self._has_others = False, profile.dtype != "uint8"

    @property
    def takes_ignored_for_road(self) -> bool:
        """True if a mask has only values of stage osm so far, that of ignored ground among them."""
        return self._is_mask and self._has_ignored and not self._has_others

    def road(self, values: npt.NDArray[Any], masked: npt.NDArray[np.bool_] | None) -> tuple[Mask, bool]:
        """Return where a block (h, w) is road, and whether any pixel of it has data."""
        valid = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, dtype=bool)
        if self._nodata is not None:
            valid &= values != self._nodata
        if masked is not None:
            valid &= ~masked
        if self._is_probability:
            within = (values >= 0) & (values <= self._most * 1.001)
            if not within[valid].all():
                raise BadDataError(
                    f"{self._name} has values beyond 0 and 1, which are no probabilities",
                    next_step="give a --threshold in the unit of its values",
                )
        if self._is_mask and not self._has_others:
            known = values[valid]
            self._has_ignored |= bool((known == IGNORED).any())
            self._has_others = not np.isin(known, (BACKGROUND, IGNORED, ROAD)).all()
        above = values != 0 if self._is_mask else values > self._least
        return above & valid, bool(valid.any())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the raster; what GDAL dislikes is about the file."""
    name = str(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise MissingInputError(
            f"{name} cannot be read: {error.strerror}", next_step="check the path and its permissions"
        ) from error
    if start not in MAGIC:
        raise bad_raster(name, "is empty" if not start else "is no GeoTIFF")
    try:
        with rasterio.Env(**GDAL_OPTIONS), rasterio.open(path.resolve(), driver="GTiff") as raster:
            _check(raster, name)
            yield raster
    except RasterioError as error:
        raise bad_raster(name, f"cannot be decoded: {reason_of(error, name)}") from error


def _check(raster: Any, name: str) -> None:  # noqa: ANN401 - rasterio is untyped
    if raster.count != 1:
        raise BadDataError(f"{name} has {raster.count} bands, one is needed", next_step=_STEP)
    if raster.height * raster.width > MOST_PX:
        raise BadDataError(
            f"{name} has {raster.height} x {raster.width} pixels, at most {MOST_PX} can be traced",
            next_step="cut it into scenes",
        )
    if np.dtype(raster.dtypes[0]).kind not in "uif":
        raise BadDataError(f"{name} has pixels of type {raster.dtypes[0]}", next_step=_STEP)
    if raster.offsets[0] != 0.0 or not raster.scales[0] > 0:
        raise BadDataError(f"{name} declares an offset, or a scale that is not positive", next_step=_STEP)
    if raster.tags(ns="OVERVIEWS"):
        raise bad_raster(name, "refers to an overview file outside itself")
    if not np.isfinite(tuple(raster.transform)[:6]).all() or raster.transform.is_degenerate:
        raise bad_raster(name, f"has an unusable transform {tuple(raster.transform)[:6]}")
    if max(rows * columns for rows, columns in raster.block_shapes) > _MOST_BLOCK_PX:
        raise bad_raster(name, f"has blocks of more than {_MOST_BLOCK_PX} pixels")


def _windows(raster: Any) -> Iterator[Window]:  # noqa: ANN401 - the same
    return (window for _, window in raster.block_windows(1))
