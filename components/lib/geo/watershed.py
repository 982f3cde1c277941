"""Watershed that separates touching buildings, seeded where neither edge nor contact is predicted.

The recipe of the first winner of SpaceNet 6 (docs/methods/spacenet6.md), with two differences of ours.
The footprint is flooded, not ``footprint * (1 - contact) > 0.5``: contact pixels lie on the walls
that face each other as well as between them, so cutting them out would shave those walls off; here they are
flooded last and shared. And a part without a seed is kept whole, as the plain vectoriser keeps it: a building
too small for a seed is still a building.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from components.lib.geo.geoarray import GeoArray
from components.lib.geo.vectorise import EIGHT_CONNECTED, FOUR_CONNECTED, Polygons, draw_parts, large_parts

REFERENCE_SEED_PX, REFERENCE_GSD_M = 110, 0.5
"""Least seed of the first winner, and the pixel size that it is meant for."""

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int32]


def seed_area_px(gsd_m: float) -> int:
    """Return the winner's least seed (27.5 square metres) in pixels of ``gsd_m``."""
    return max(1, round(REFERENCE_SEED_PX * (REFERENCE_GSD_M / gsd_m) ** 2))


def building_instances(
    footprint: Floats,
    edge: Floats,
    contact: Floats,
    *,
    threshold: float,
    seed_threshold: float,
    min_seed_px: int,
    min_area_px: int,
    cut_contacts: bool = False,
    keep_seedless: bool = True,
) -> Labels:
    """Label buildings, touching ones apart.

    Args:
        footprint: Building probability, (H, W).
        edge: Probability of the rim inside a building, (H, W).
        contact: Probability of ground or wall that touches two buildings, (H, W).
        threshold: Building probability above which a pixel is building.
        seed_threshold: A seed's pixels exceed it in ``footprint * (1 - contact)^2 * (1 - edge)``.
        min_seed_px: Smaller seeds are dropped, pixels (:func:`seed_area_px`).
        min_area_px: Smallest building kept, pixels.
        cut_contacts: Flood ``footprint * (1 - contact)`` alone, as the winner did.
        keep_seedless: Keep parts without a seed as one building each.

    Returns:
        (H, W) int32: 0 is background, buildings are numbered 1..K without gaps, each 4-connected.
    """
    body = footprint * (1 - contact)
    inside = (body if cut_contacts else footprint) > threshold
    core = inside & (body * (1 - contact) * (1 - edge) > seed_threshold)
    seeds = large_parts(ndimage.label(core, structure=EIGHT_CONNECTED)[0], min_seed_px)
    if keep_seedless:
        seeds = _with_seedless(seeds, inside)
    heights = _without_ties(-body, seeds)
    flooded = watershed(heights, seeds, mask=inside, connectivity=1)  # type: ignore[no-untyped-call]
    # A seed is 8-connected: two parts that join at a corner alone are drawn as two buildings.
    return large_parts(_four_connected(flooded), min_area_px)


def vectorise_contours(
    image: GeoArray,
    *,
    threshold: float,
    seed_threshold: float,
    min_seed_px: int,
    min_area_px: int,
    simplify_px: float = 0.5,
    keep_seedless: bool = True,
    confidence: str = "footprint",
) -> Polygons:
    """Draw the building polygons of an image, touching buildings apart.

    Args:
        image: Probabilities with the bands ``footprint``, ``edge`` and ``contact``, turned or north-up.
        threshold: As for :func:`building_instances`, as are the next three.
        seed_threshold: Least probability of a seed.
        min_seed_px: Smallest seed, pixels.
        min_area_px: Smallest building kept, pixels.
        simplify_px: Douglas-Peucker tolerance of the polygons, pixels.
        keep_seedless: Keep parts without a seed as one building each.
        confidence: Band that is averaged over a building as its confidence.
    """
    upright = image.north_up()
    labels = building_instances(
        *(upright.band(name) for name in ("footprint", "edge", "contact")),
        threshold=threshold,
        seed_threshold=seed_threshold,
        min_seed_px=min_seed_px,
        min_area_px=min_area_px,
        keep_seedless=keep_seedless,
    )
    return draw_parts(labels, upright, confidence, simplify_px=simplify_px)


def _without_ties(heights: Floats, seeds: Labels) -> npt.NDArray[np.float64]:
    """Return the heights with seed pixels of equal height in raster order, each lower than the next.

    scikit-image floods seed pixels of equal height in an order that depends on all pixels of the image, so
    that the wall between two buildings would move with the crop that they lie in.
    """
    # Between two float32 numbers lie 2^29 float64 numbers: room for as many seed pixels, and no height that
    # was lower becomes higher. The bits of a negative number, as a whole number, grow as it falls.
    ordered = heights.astype(np.float32).astype(np.float64).ravel()
    where = np.flatnonzero(seeds)
    ordered[where] = (ordered[where].view(np.int64) + np.arange(len(where), 0, -1)).view(np.float64)
    return ordered.reshape(heights.shape)


def _with_seedless(seeds: Labels, inside: npt.NDArray[np.bool_]) -> Labels:
    """Make each 4-connected part of ``inside`` that has no seed a seed of its own."""
    parts, count = ndimage.label(inside, structure=FOUR_CONNECTED)
    seeded = np.zeros(count + 1, dtype=bool)
    seeded[parts[seeds > 0]] = True
    seeded[0] = True
    numbers = np.cumsum(~seeded) + seeds.max(initial=0)
    result: Labels = np.where(seeded[parts], seeds, numbers[parts]).astype(np.int32)
    return result


def _four_connected(labels: Labels) -> Labels:
    """Number the 4-connected parts of equal label."""
    # Buildings side by side have different labels, so each label's own parts are found in its own box.
    numbered = np.zeros_like(labels)
    count = 0
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        parts, found = ndimage.label(labels[box] == value, structure=FOUR_CONNECTED)
        numbered[box][parts > 0] = parts[parts > 0] + count
        count += found
    return numbered
