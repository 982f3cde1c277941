"""Building polygons from a probability map: threshold, 4-connected parts, raster shapes, simplification.

Reference distillation.md section 2.3 (the CosmiQ baseline's recipe), with the confidence of section 2.6: the
mean probability inside a polygon instead of a constant 1, because the metric sorts by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import shapes
from rasterio.transform import Affine
from scipy import ndimage

from components.lib.geo.orientation import align

FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, slots=True)
class Proposals:
    """Building polygons of one tile.

    Attributes:
        geometries: (K,) object array of shapely polygons in pixel coordinates: x to the right, y down, the
            tile's top left corner is (0, 0).
        confidences: (K,) float64, mean building probability of the pixels each polygon was drawn around.
    """

    geometries: npt.NDArray[np.object_]
    confidences: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.geometries)


def building_parts(
    probability: npt.NDArray[np.floating], *, threshold: float, min_area_px: int
) -> npt.NDArray[np.int32]:
    """Label the 4-connected parts above ``threshold`` that hold at least ``min_area_px`` pixels.

    Args:
        probability: (H, W) building probability.
        threshold: A pixel is building where its probability exceeds this (a logit above 0 at 0.5).
        min_area_px: Smaller parts are dropped, pixels.

    Returns:
        (H, W) int32: 0 is background, the parts are numbered 1..K without gaps.
    """
    labels, _ = ndimage.label(probability > threshold, structure=FOUR_CONNECTED)
    return large_parts(labels, min_area_px)


def large_parts(labels: npt.NDArray[np.integer], min_area_px: int) -> npt.NDArray[np.int32]:
    """Drop the parts of fewer than ``min_area_px`` pixels and number the rest 1..K without gaps."""
    kept = np.bincount(labels.ravel()) >= min_area_px
    kept[0] = False
    renumbered = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    numbered: npt.NDArray[np.int32] = renumbered[labels]
    return numbered


def vectorise(
    probability: npt.NDArray[np.floating],
    *,
    orientation: int,
    threshold: float,
    min_area_px: int,
    simplify_px: float = 0.5,
) -> Proposals:
    """Draw the building polygons of one tile in the release's orientation.

    Args:
        probability: (H, W) building probability in store orientation.
        orientation: The strip's flag, undone before anything is drawn.
        threshold: Building probability above which a pixel is building.
        min_area_px: Smallest part kept, pixels.
        simplify_px: Douglas-Peucker tolerance, pixels.
    """
    upright = align(probability, orientation)  # turning undoes itself
    labels = building_parts(upright, threshold=threshold, min_area_px=min_area_px)
    return draw_parts(labels, upright, simplify_px=simplify_px)


def draw_parts(
    labels: npt.NDArray[np.int32], probability: npt.NDArray[np.floating], *, simplify_px: float
) -> Proposals:
    """Draw one polygon around each labelled part.

    Args:
        labels: (H, W): 0 is background, the parts are numbered 1..K without gaps, each 4-connected.
        probability: (H, W), averaged over each part as its confidence.
        simplify_px: Douglas-Peucker tolerance, pixels.
    """
    count = int(labels.max(initial=0))
    if count == 0:
        return Proposals(np.empty(0, dtype=object), np.empty(0))
    # One pixel of margin, taken off again by the transform: rasterio warns of an identity transform.
    margin = np.pad(labels, 1)
    drawn = list(shapes(margin, mask=margin > 0, connectivity=4, transform=Affine.translation(-1, -1)))
    order = np.argsort([value for _, value in drawn], kind="stable")
    polygons = np.empty(count, dtype=object)
    polygons[:] = [_polygon(drawn[i][0]["coordinates"]) for i in order]
    simplified = shapely.simplify(shapely.buffer(polygons, 0), simplify_px)
    inside = labels > 0
    sums = np.bincount(labels[inside], weights=probability[inside], minlength=count + 1)
    sizes = np.bincount(labels[inside], minlength=count + 1)
    return Proposals(simplified, sums[1:] / sizes[1:])


def _polygon(rings: list[list[tuple[float, float]]]) -> shapely.Polygon:
    return shapely.Polygon(rings[0], rings[1:])
