"""Small pictures: a tile of the quarantine, and the changes of a map."""

from __future__ import annotations

import io
from typing import Final

import geopandas
import numpy as np
import numpy.typing as npt
import shapely
from PIL import Image

from components.contract.errors import BadDataError
from components.dashboard.quality import TileFile
from components.lib.geo.raster import RasterLimits, opened
from components.lib.shards.reader import ShardReader

SIDE_PX: Final = 192
"""Largest side of a tile's picture, pixels."""

CHANGES_PX: Final = 320
"""Largest side of a picture of changes, pixels."""

LEAST_M: Final = 120.0
"""Least side of the ground that such a picture shows, metres."""

MOST_CHANGES: Final = 20_000
"""Changes that a picture draws."""

LIMITS: Final = RasterLimits(max_side_px=8192, max_bands=16, max_bytes=256 * 2**20)

KINDS: Final = {"added": "#009E73", "removed": "#D55E00", "enlarged": "#0072B2"}
"""Colours of changes, apart for every kind of colour vision (Okabe and Ito, 2008)."""


def tile_picture(tile: TileFile) -> bytes:
    """Return a PNG of a tile's first one or three bands, each stretched from its 2nd to its 98th percentile.

    Raises:
        BadDataError: If the file is damaged, which may be why it is in quarantine.
        MissingInputError: If its shard is gone.
    """
    with ShardReader(tile.raw) as reader:
        content = reader.read(tile.row)
    with opened(content, tile.row.name, LIMITS) as raster:
        scale = SIDE_PX / max(raster.height, raster.width)
        shape = (max(round(raster.height * scale), 1), max(round(raster.width * scale), 1))
        bands = list(range(1, raster.count + 1))[: 3 if raster.count >= 3 else 1]
        pixels = raster.read(bands, out_shape=(len(bands), *shape))
    image = Image.fromarray(stretched(pixels))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def stretched(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) RGB, or (H, W) grey, of (3, H, W) or (1, H, W) of any number format.

    Zero, not-a-number and infinity are black; they take no part in the stretch.
    """
    values = pixels.astype(np.float64)
    valid = np.isfinite(values) & (values != 0)
    drawn = np.zeros(values.shape, dtype=np.uint8)
    for band, mask, target in zip(values, valid, drawn, strict=True):
        if mask.any():
            low, high = np.percentile(band[mask], (2, 98))
            share = (band[mask] - low) / max(float(high - low), 1e-12)
            target[mask] = np.rint(1 + 254 * np.clip(share, 0, 1)).astype(np.uint8)
    return drawn[0] if len(drawn) == 1 else np.ascontiguousarray(np.moveaxis(drawn, 0, -1))


def changes_picture(table: bytes) -> bytes:
    """Return an SVG of the outlines of a table of changes, each in the colour of its kind, north up.

    Args:
        table: GeoParquet with the column ``kind``, in a CRS in metres.

    Raises:
        BadDataError: If it is no such table.
    """
    try:
        frame = geopandas.read_parquet(io.BytesIO(table)).iloc[:MOST_CHANGES]
        pairs = list(zip(frame["kind"], frame.geometry, strict=True))
    except Exception as error:  # the seam: whatever Arrow and geopandas raise is about these bytes
        raise BadDataError(
            f"the table of changes cannot be read: {type(error).__name__}", next_step="compare the maps again"
        ) from error
    shapes = [(str(kind), shape) for kind, shape in pairs if shape is not None and not shape.is_empty]
    if not shapes:
        return _svg(CHANGES_PX, CHANGES_PX / 2, [])
    west, south, east, north = shapely.total_bounds(np.array([shape for _, shape in shapes], dtype=object))
    # A single change does not fill the picture: it shows its place and size.
    pad = max(0.0, LEAST_M - max(east - west, north - south)) / 2
    west, south, east, north = west - pad, south - pad, east + pad, north + pad
    scale = (CHANGES_PX - 16) / max(east - west, north - south)
    paths = [
        f'<path fill="{KINDS.get(kind, "#777777")}" d="{_path(part, west, north, scale)}"/>'
        for kind, shape in shapes
        for part in shapely.get_parts(shape)
        if isinstance(part, shapely.Polygon)
    ]
    return _svg((east - west) * scale + 16, max((north - south) * scale + 16, 48), paths)


def no_picture(*, vector: bool) -> bytes:
    """Return a grey picture in place of one that cannot be made, as SVG or PNG."""
    if vector:
        return _svg(CHANGES_PX, CHANGES_PX / 2, [])
    buffer = io.BytesIO()
    Image.new("L", (SIDE_PX, SIDE_PX), 128).save(buffer, format="PNG")
    return buffer.getvalue()


def _path(polygon: shapely.Polygon, west: float, north: float, scale: float) -> str:
    outline = shapely.get_coordinates(polygon.exterior)
    x, y = (outline[:, 0] - west) * scale + 8, (north - outline[:, 1]) * scale + 8
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)) + "Z"


def _svg(width: float, height: float, paths: list[str]) -> bytes:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}"><rect width="100%" height="100%" fill="#f1f3f5"/>'
    )
    return f"{head}{''.join(paths)}</svg>".encode()
