"""Pictures of the probability raster: palette PNGs whose pixels are the levels themselves."""

from __future__ import annotations

import base64
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

from components.lib.files import atomic_file
from components.lib.geo.crs import LON_LAT
from components.lib.mapping.levels import NO_DATA, Levels, from_published

SIDE_PX: Final = 512
PAGE_SIDE_PX: Final = 1024
COLOURS: Final = "viridis"
"""Perceptually even, and even for every kind of colour vision (van der Walt and Smith, 2015)."""

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


def write_thumbnail(cog: Path, path: Path) -> None:
    """Write a PNG of at most 512 pixels a side, transparent where there are no data.

    It is made from an overview: memory does not grow with the raster.

    Args:
        cog: Published probability raster.
        path: File to write.
    """
    with rasterio.open(cog, driver="GTiff") as raster:
        levels, _ = _reduced(raster, SIDE_PX)
    with atomic_file(path) as temporary:
        temporary.write_bytes(_png(levels))


def map_picture(cog: Path, side_px: int = PAGE_SIDE_PX) -> MapPicture:
    """Return the raster in web Mercator, at most ``side_px`` pixels a side, as a picture for a web map."""
    with rasterio.open(cog, driver="GTiff") as raster:
        levels, transform = _reduced(raster, side_px)
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


def _reduced(raster: Any, side_px: int) -> tuple[Levels, Affine]:  # noqa: ANN401 - rasterio is untyped
    """Return the raster as levels, at most ``side_px`` a side, averaged where it has data; its transform."""
    factor = max(1.0, max(raster.height, raster.width) / side_px)
    height, width = (max(1, round(length / factor)) for length in (raster.height, raster.width))
    values = raster.read(1, out_shape=(height, width), resampling=Resampling.average)
    scale = Affine.scale(raster.width / width, raster.height / height)
    return from_published(values), raster.transform @ scale


def _png(levels: Levels) -> bytes:
    """Return a PNG whose palette turns levels into colours."""
    image = Image.fromarray(levels)
    image.putpalette([value for colour in palette() for value in colour])
    content = BytesIO()
    image.save(content, "PNG", optimize=True, transparency=NO_DATA)
    return content.getvalue()
