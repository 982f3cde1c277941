"""Building polygons from a probability map: threshold, 4-connected parts, raster shapes, simplification.

The recipe of the SpaceNet 6 baseline by CosmiQ Works (docs/methods/spacenet6.md) with another confidence: the
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

from components.lib.geo.geoarray import GeoArray, PixelTransform

FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)
EIGHT_CONNECTED = ndimage.generate_binary_structure(2, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """Building polygons of one image.

    Attributes:
        geometries: (K,) object array of shapely polygons in pixel coordinates of the north-up image: x to the
            right, y down, its top left corner is (0, 0).
        confidences: (K,) float64, mean building probability of the pixels each polygon was drawn around.
        transform: From those pixel coordinates to coordinates of ``crs``.
        crs: Coordinate reference system of the ground.
    """

    geometries: npt.NDArray[np.object_]
    confidences: npt.NDArray[np.float64]
    transform: PixelTransform
    crs: str

    def __len__(self) -> int:
        return len(self.geometries)

    def on_map(self) -> npt.NDArray[np.object_]:
        """Return the polygons in coordinates of ``crs``, (K,) object array."""
        return np.asarray(shapely.transform(self.geometries, self.transform.apply), dtype=object)


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
    image: GeoArray,
    *,
    threshold: float,
    min_area_px: int,
    simplify_px: float = 0.5,
    band: str = "building",
) -> Polygons:
    """Draw a polygon around every connected part of a probability map.

    Args:
        image: Probabilities, turned or north-up.
        threshold: Building probability above which a pixel is building.
        min_area_px: Smallest part kept, pixels.
        simplify_px: Douglas-Peucker tolerance, pixels.
        band: Band that holds the building probability.
    """
    upright = image.north_up()
    labels = building_parts(upright.band(band), threshold=threshold, min_area_px=min_area_px)
    return draw_parts(labels, upright, band, simplify_px=simplify_px)


def draw_parts(
    labels: npt.NDArray[np.int32], image: GeoArray, confidence: str, *, simplify_px: float
) -> Polygons:
    """Draw one polygon around each labelled part.

    Args:
        labels: (H, W): 0 is background, the parts are numbered 1..K without gaps, each 4-connected.
        image: North-up image of the same pixels.
        confidence: Its band that is averaged over each part as the part's confidence.
        simplify_px: Douglas-Peucker tolerance, pixels.
    """
    count = int(labels.max(initial=0))
    if count == 0:
        return Polygons(np.empty(0, dtype=object), np.empty(0), image.transform, image.crs)
    polygons = outlines_of_parts(labels)
    simplified = shapely.simplify(shapely.buffer(polygons, 0), simplify_px)
    inside = labels > 0
    weights = image.band(confidence)[inside]
    sums = np.bincount(labels[inside], weights=weights, minlength=count + 1)
    sizes = np.bincount(labels[inside], minlength=count + 1)
    return Polygons(simplified, sums[1:] / sizes[1:], image.transform, image.crs)


def outlines_of_parts(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.object_]:
    """Draw each labelled part along its pixel edges.

    Args:
        labels: (H, W): 0 is background, the parts are numbered 1..K without gaps, each 4-connected.

    Returns:
        (K,) object array of shapely polygons in pixel coordinates.
    """
    # One pixel of margin, taken off again by the transform: rasterio warns of an identity transform.
    margin = np.pad(labels, 1)
    drawn = list(shapes(margin, mask=margin > 0, connectivity=4, transform=Affine.translation(-1, -1)))
    order = np.argsort([value for _, value in drawn], kind="stable")
    polygons = np.empty(len(drawn), dtype=object)
    polygons[:] = [_polygon(drawn[i][0]["coordinates"]) for i in order]
    return polygons


def _polygon(rings: list[list[tuple[float, float]]]) -> shapely.Polygon:
    return shapely.Polygon(rings[0], rings[1:])
