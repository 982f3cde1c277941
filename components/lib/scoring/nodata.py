"""Polygons that lie where a tile has no data: they are not scored (docs/methods/metrics.md)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import shapes
from rasterio.transform import Affine
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

HIDDEN_SHARE = 0.5
"""A polygon with a larger share of its area without data is not scored."""


def nodata_region(valid: npt.NDArray[np.bool_]) -> BaseGeometry | None:
    """Return the outline of the pixels without data in pixel coordinates, None where all pixels have data.

    Args:
        valid: (H, W), True where there is data, in the orientation of the polygons.
    """
    if valid.all():
        return None
    # One pixel of margin, taken off again by the transform: rasterio warns of an identity transform.
    hidden = np.pad((~valid).astype(np.uint8), 1)
    drawn = shapes(hidden, mask=hidden > 0, connectivity=4, transform=Affine.translation(-1, -1))
    return shapely.union_all([shape(outline) for outline, _ in drawn])


def mostly_hidden(polygons: npt.NDArray[np.object_], region: BaseGeometry | None) -> npt.NDArray[np.bool_]:
    """Return which polygons have more than ``HIDDEN_SHARE`` of their area in the region without data.

    Args:
        polygons: (N,) shapely polygons; invalid ones are repaired by ``buffer(0)`` as the metric does.
        region: Outline of the pixels without data, None if there are none.
    """
    if region is None or len(polygons) == 0:
        return np.zeros(len(polygons), dtype=bool)
    sound = shapely.buffer(polygons, 0)
    shared = shapely.area(shapely.intersection(sound, region))
    hidden: npt.NDArray[np.bool_] = shared > HIDDEN_SHARE * shapely.area(sound)
    return hidden


def scored_polygons(
    truth: npt.NDArray[np.object_], proposals: npt.NDArray[np.object_], region: BaseGeometry | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which true and which predicted polygons of one tile are scored.

    A true building that is mostly without data is not: the release has none there. A proposal is not where
    most of it is without data or on such a building: its part that can be seen is no false alarm.

    Args:
        truth: (T,) shapely polygons.
        proposals: (P,) shapely polygons.
        region: Outline of the pixels without data, None if there are none.
    """
    hidden = mostly_hidden(truth, region)
    unscored = region if region is None else shapely.union_all([region, *shapely.buffer(truth[hidden], 0)])
    return ~hidden, ~mostly_hidden(proposals, unscored)
