"""Probability maps as georeferenced arrays, somewhere on a half-metre grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.tasks.labels import BUILDING_BAND, LABELS

NORTH_UP = PixelTransform.north_up(x_left_m=596000.0, y_top_m=5752000.0, gsd_m=0.5)


def geo_array(
    *maps: npt.NDArray[Any], orientation: int = 0, bands: tuple[str, ...] = (BUILDING_BAND,)
) -> GeoArray:
    """Maps (H, W) as they lie in a store, one per band."""
    height, width = maps[0].shape
    return GeoArray(
        values=np.stack(maps),
        bands=bands,
        valid=np.ones((height, width), dtype=bool),
        transform=NORTH_UP.turned(height, width) if orientation else NORTH_UP,
        crs="EPSG:32631",
        sensor="simulated-airborne",
        orientation=orientation,
    )


def contour_array(maps: Sequence[npt.NDArray[Any]], orientation: int = 0) -> GeoArray:
    """Footprint, edge and contact (H, W) as they lie in a store."""
    return geo_array(*maps, orientation=orientation, bands=LABELS)
