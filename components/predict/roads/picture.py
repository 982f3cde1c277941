"""Picture of a road graph over the image that it was found in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError
from components.lib.geo.geoarray import PixelTransform
from components.lib.geo.raster import read_geotiff
from components.lib.report.panels import FALSE_ALARM, MISSED, Picture, backdrop, graph_panel, save_png
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.trace import TracedRoads

SIDE_PX: Final = 1600
"""Longest side of a picture, pixels."""

_GREY: Final = 90
_AWAY_PX: Final = 0.1


def read_picture(image: Path | None, mask: RoadMask) -> Picture:
    """Return the picture (H, W, 3) under the graph: an image of the same pixels, or the mask itself.

    Args:
        image: GeoTIFF whose first three bands are red, green and blue, or one grey band; None for the mask.
        mask: The mask.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If it is no such image, or has other pixels.
    """
    if image is None:
        return np.repeat((mask.road * np.uint8(_GREY))[..., None], 3, axis=-1)
    try:
        content = image.read_bytes()
    except OSError as error:
        raise MissingInputError(
            f"{image} cannot be read: {error.strerror}", next_step="check the path and its permissions"
        ) from error
    raster = read_geotiff(content, str(image))
    if raster.array.shape[1:] != mask.road.shape or not _same_place(raster.transform, mask):
        raise BadDataError(
            f"{image} does not have the pixels of {mask.name}", next_step="warp it onto the mask's grid"
        )
    bands = raster.array[:3] if len(raster.array) >= 3 else raster.array[:1].repeat(3, axis=0)
    return backdrop(_stretched(np.moveaxis(bands, 0, -1)), 1.0)


def draw_graph(path: Path, under: Picture, roads: TracedRoads) -> None:
    """Write a PNG of the graph over a picture: edges, and a dot at each node.

    Args:
        path: File to write.
        under: (H, W, 3) of the graph's pixels.
        roads: The graph.

    Raises:
        ResourceError: If the disk is full.
    """
    factor = min(1.0, SIDE_PX / max(under.shape[:2]))
    size = [max(1, round(side * factor)) for side in under.shape[1::-1]]
    small = np.asarray(Image.fromarray(under).resize((size[0], size[1]), Image.Resampling.BOX))
    lines = [np.asarray(shape.coords) * factor for shape in roads.graph.shapes]
    picture = graph_panel(small, lines, roads.graph.nodes * factor, FALSE_ALARM, MISSED)
    save_png(path, picture, side=SIDE_PX, colours=None)


def _same_place(transform: Affine, mask: RoadMask) -> bool:
    """Return whether the corners of a raster lie within a tenth of a pixel of those of the mask."""
    height, width = mask.road.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
    away = PixelTransform(*transform[:6]).apply(corners) - mask.to_map(corners)
    side = np.hypot(*np.array(mask.transform).reshape(2, 3)[:, :2])
    return bool((np.hypot(*away.T) <= _AWAY_PX * side.min()).all())


def _stretched(picture: np.ndarray) -> Picture:
    """Return values stretched from their 2nd to their 98th percentile."""
    values = picture.astype(np.float32)
    low, high = np.percentile(values, (2, 98))
    scaled: Picture = (np.clip((values - low) / max(float(high - low), 1e-6), 0, 1) * 255).astype(np.uint8)
    return scaled
