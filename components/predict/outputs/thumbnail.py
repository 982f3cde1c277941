"""Pictures of the probability raster: palette PNGs whose pixels are the levels themselves."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.transform import Affine, array_bounds
from rasterio.warp import calculate_default_transform, reproject, transform_bounds
from rasterio.windows import Window
from scipy import ndimage

from components.lib.files import atomic_file
from components.lib.geo.crs import LON_LAT
from components.lib.geo.vectorise import EIGHT_CONNECTED
from components.lib.mapping.levels import NO_DATA, Levels, from_published

SIDE_PX: Final = 512
PAGE_SIDE_PX: Final = 1024
COLOURS: Final = "viridis"
"""Perceptually even, and even for every kind of colour vision (van der Walt and Smith, 2015)."""

SPARSE: Final = 0.1
"""Share of a thumbnail that data must fill; else it shows the largest part alone."""

LARGEST_PART: Final = "The largest part alone: the scenes of this map lie far apart."

LOOKS: Final = 8
"""Times that a thumbnail's part is looked for within the part before."""

WEB_MERCATOR: Final = "EPSG:3857"
"""CRS of web maps, so that a picture between its corners lies where it belongs."""

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class MapPicture:
    """Picture for a web map.

    Attributes:
        address: The PNG as a ``data:`` address.
        corners: Longitude and latitude of its corners: north-west, north-east, south-east, south-west.
    """

    address: str
    corners: Corners


def write_thumbnail(cog: Path, path: Path) -> str:
    """Write a PNG of at most 512 pixels a side, transparent where there are no data.

    It is made from overviews: memory does not grow with the raster. Of a map whose scenes lie so far apart
    that nothing could be seen of them, it shows the largest part.

    Args:
        cog: Published probability raster.
        path: File to write.

    Returns:
        Words on what it leaves out; empty if it shows the whole map.
    """
    with rasterio.open(cog, driver="GTiff") as raster:
        view = _view(raster)
        levels, _ = _reduced(raster, SIDE_PX, view.window)
    with atomic_file(path) as temporary:
        temporary.write_bytes(_png(levels))
    return "" if view.complete else LARGEST_PART


def map_picture(cog: Path, side_px: int = PAGE_SIDE_PX) -> MapPicture:
    """Return the raster in web Mercator, at most ``side_px`` pixels a side, as a picture for a web map."""
    with rasterio.open(cog, driver="GTiff") as raster:
        whole = Window(0, 0, raster.width, raster.height)
        levels, transform = _reduced(raster, side_px, whole)
        bounds = array_bounds(*levels.shape, transform)
        target, width, height = calculate_default_transform(
            raster.crs, WEB_MERCATOR, levels.shape[1], levels.shape[0], *bounds
        )
        warped = np.full((height, width), NO_DATA, dtype=np.uint8)
        reproject(
            levels,
            warped,
            src_transform=transform,
            src_crs=raster.crs,
            src_nodata=NO_DATA,
            dst_transform=target,
            dst_crs=WEB_MERCATOR,
            dst_nodata=NO_DATA,
            resampling=Resampling.bilinear,
        )
    west, south, east, north = transform_bounds(WEB_MERCATOR, LON_LAT, *array_bounds(height, width, target))
    return MapPicture(
        address="data:image/png;base64," + base64.b64encode(_png(warped)).decode(),
        corners=((west, north), (east, north), (east, south), (west, south)),
    )


def palette() -> list[tuple[int, int, int]]:
    """Return the colour of each of the 256 levels; that of "no data" is never seen."""
    colours = mpl.colormaps[COLOURS](np.maximum(np.arange(256) - 1, 0) / 254, bytes=True)[:, :3]
    return [(int(r), int(g), int(b)) for r, g, b in colours]


@dataclass(frozen=True, slots=True)
class _View:
    """Part of a raster that a thumbnail shows.

    Attributes:
        window: The part, pixels of the raster.
        complete: Whether all data lie in it.
    """

    window: Window
    complete: bool = True


def _view(raster: Any) -> _View:  # noqa: ANN401 - rasterio is untyped
    """Return the whole raster, or the largest of its parts if data fill less than ``SPARSE`` of it.

    Scenes that touch at the scale of the whole may lie apart at that of the part, so it is looked at again.
    """
    view = _View(Window(0, 0, raster.width, raster.height))
    for _ in range(LOOKS):
        levels, _ = _reduced(raster, SIDE_PX, view.window)
        data = levels != NO_DATA
        if not data.any() or data.mean() >= SPARSE:
            break
        labels, count = ndimage.label(data, EIGHT_CONNECTED)
        largest = int(np.bincount(labels.ravel())[1:].argmax())
        rows, columns = ndimage.find_objects(labels)[largest]
        window = _window(view.window, rows, columns, levels.shape)
        if (window.height, window.width) == (view.window.height, view.window.width):
            break
        view = _View(window, view.complete and count == 1)
    return view


def _window(outer: Window, rows: slice, columns: slice, shape: tuple[int, int]) -> Window:
    """Return the window of these rows and columns of a picture of ``outer``, whole pixels of the raster."""
    scales = (outer.height / shape[0], outer.width / shape[1])
    (top, bottom), (left, right) = (
        (math.floor(one.start * scale), min(math.ceil(one.stop * scale), int(length)))
        for one, scale, length in zip((rows, columns), scales, (outer.height, outer.width), strict=True)
    )
    return Window(outer.col_off + left, outer.row_off + top, right - left, bottom - top)


def _reduced(
    raster: Any,  # noqa: ANN401 - rasterio is untyped
    side_px: int,
    window: Window,
) -> tuple[Levels, Affine]:
    """Return a window as levels, at most ``side_px`` a side, averaged where it has data; its transform."""
    factor = max(1.0, max(window.height, window.width) / side_px)
    height, width = (max(1, round(length / factor)) for length in (window.height, window.width))
    values = raster.read(1, window=window, out_shape=(height, width), resampling=Resampling.average)
    scale = Affine.scale(window.width / width, window.height / height)
    return from_published(values), raster.window_transform(window) @ scale


def _png(levels: Levels) -> bytes:
    """Return a PNG whose palette turns levels into colours."""
    image = Image.fromarray(levels)
    image.putpalette([value for colour in palette() for value in colour])
    content = BytesIO()
    image.save(content, "PNG", optimize=True, transparency=NO_DATA)
    return content.getvalue()
