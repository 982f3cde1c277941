"""Optical image of a tile with its road labels, from files of a data set without SAR.

The stages pair every optical image with a SAR tile, so that such a data set does not pass through them: what
is read here goes to the same label drawing, networks, tracing and scores as their tiles do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from components.contract.errors import BadDataError, MissingInputError
from components.lib.datasets.base import RoadImages
from components.lib.foreign import judged
from components.lib.geo.bands import Mask, valid_pixels
from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.geo.metric import in_metres, utm_zone
from components.lib.geo.raster import Raster, read_geotiff
from components.lib.roads.labels import RoadLines, read_road_lines

PERCENTILES = (2.0, 98.0)
"""Values of 16-bit images that become 1 and 255, percentiles of a tile's valid pixels, band by band."""

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoadTile:
    """A tile on a north-up grid of square pixels in metres.

    Attributes:
        image_id: Key of the tile.
        image: (3, H, W) uint8, bands R, G, B; 0 without data, else 1 to 255.
        roads: Its road lines, in the image's CRS.
    """

    image_id: str
    image: GeoArray
    roads: RoadLines


def read_road_tile(image: Path, labels: Path, dataset: RoadImages) -> RoadTile:
    """Read image and labels of one tile, and bring both onto one grid of the data set's pixel size.

    Images in degrees are warped to the UTM zone at their middle, bilinear; where pixels without data hold any
    weight the others share it.

    Raises:
        MissingInputError: If a file is missing.
        BadDataError: If a file is damaged, the two are not of the same tile, or the image has other bands, is
            neither 8-bit nor 16-bit, or has no CRS.
    """
    image_id = dataset.image_id(image.name)
    if dataset.image_id(labels.name) != image_id:
        raise BadDataError(
            f"{labels.name} has labels of another tile than {image.name}", next_step="give files of one tile"
        )
    for file in (image, labels):
        if not file.exists():
            raise MissingInputError(f"{file} is missing", next_step="fetch the data set's release again")
    content, text = image.read_bytes(), labels.read_bytes()
    raster = read_geotiff(content, image.name)
    with judged(image.name):
        ground = _on_ground(raster, dataset)
    return RoadTile(
        image_id=image_id, image=ground, roads=read_road_lines(text, labels.name, ground.crs, dataset.roads)
    )


def eight_bit(values: npt.NDArray[np.integer], valid: Mask) -> UInt8:
    """Return an image (C, H, W) as uint8: 0 without data, else 1 to 255.

    8-bit values are kept, black that is data becomes 1. 16-bit ones are mapped linearly, each band by
    ``PERCENTILES`` of its own valid pixels: a rule of ours for images that were scaled scene by scene, which
    is not the fixed line of SAR (:func:`components.lib.datasets.scaling.scale_sar`).

    Args:
        values: uint8 or uint16.
        valid: (H, W), False where there are no data.
    """
    if values.dtype == np.uint8:
        kept: UInt8 = np.where(valid, np.maximum(values, 1), 0).astype(np.uint8)
        return kept
    scaled = np.zeros(values.shape, dtype=np.uint8)
    if not valid.any():
        return scaled
    for band, target in zip(values.astype(np.float64), scaled, strict=True):
        low, high = np.percentile(band[valid], PERCENTILES)
        share = np.clip((band[valid] - low) / max(high - low, 1.0), 0.0, 1.0)
        target[valid] = np.rint(1.0 + 254.0 * share)
    return scaled


def _on_ground(raster: Raster, dataset: RoadImages) -> GeoArray:
    picture = eight_bit(*_colours(raster, dataset))
    name, crs = raster.profile.name, raster.crs
    if crs is None:
        raise BadDataError(f"{name} has no CRS", next_step="fetch the file again")
    height, width = raster.profile.shape
    corners = np.array([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
    own = PixelTransform(*raster.transform[:6]).apply(corners)
    target = crs if in_metres(crs, name) else utm_zone(move(own, crs, LON_LAT, name))
    (west, south), (east, north) = (f(move(own, crs, target, name), axis=0) for f in (np.min, np.max))
    size = round((north - south) / dataset.gsd_m), round((east - west) / dataset.gsd_m)
    transform = Affine(dataset.gsd_m, 0.0, west, 0.0, -dataset.gsd_m, north)
    warped: UInt8 = np.zeros((len(picture), *size), dtype=np.uint8)
    with rasterio.Env():
        reproject(
            picture, warped, src_transform=raster.transform, src_crs=crs, dst_transform=transform,
            dst_crs=target, src_nodata=0, dst_nodata=0, resampling=Resampling.bilinear,
        )  # fmt: skip
    valid: Mask = np.any(warped, axis=0)
    return GeoArray(
        values=warped,
        bands=dataset.image.bands,
        valid=valid,
        transform=PixelTransform(*transform[:6]),
        crs=target,
        sensor=dataset.name,
        orientation=0,
    )


def _colours(raster: Raster, dataset: RoadImages) -> tuple[npt.NDArray[np.integer], Mask]:
    """Return the declared bands (C, H, W), and where they are data: as an alpha band says, if any."""
    profile, count = raster.profile, len(dataset.image.bands)
    alpha = profile.count == count + 1 and profile.descriptions[-1:] == ("alpha",)
    if profile.dtype not in {"uint8", "uint16"} or not (alpha or profile.count == count):
        raise BadDataError(
            f"{profile.name} has {profile.count} bands of {profile.dtype}; {dataset.title} has {count} of "
            "uint8 or uint16, and an alpha band at most",
            next_step=f"give an image of {dataset.image.name}",
        )
    return raster.array[:count], raster.array[count] > 0 if alpha else valid_pixels(raster)
