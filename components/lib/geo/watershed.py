"""Buildings that touch, taken apart: watershed from seeds that edges and contacts set free.

The SpaceNet 6 winners' recipe (reference distillation.md 2.7, first place), with two differences of ours.
What is flooded is the footprint, not ``footprint * (1 - contact) > 0.5``: contact pixels lie on the walls
that face each other as well as between them, so cutting them out would shave those walls off; here they are
flooded last and shared. And a part without a seed is kept whole, as the plain vectoriser keeps it: a building
too small for a seed is still a building.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from components.lib.geo.orientation import align
from components.lib.geo.vectorise import FOUR_CONNECTED, Proposals, draw_parts, large_parts

REFERENCE_SEED_PX, REFERENCE_GSD_M = 110, 0.5
"""Least seed of the first winner, and the pixel size that it is meant for."""

_EIGHT_CONNECTED = ndimage.generate_binary_structure(2, 2)

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int32]


def seed_area_px(gsd_m: float) -> int:
    """The winner's least seed (27.5 square metres) in pixels of ``gsd_m``."""
    return max(1, round(REFERENCE_SEED_PX * (REFERENCE_GSD_M / gsd_m) ** 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class WatershedSettings:
    """How contours become buildings.

    Attributes:
        threshold: Building probability above which a pixel is building.
        seed_threshold: A seed's pixels exceed it in ``footprint * (1 - contact)^2 * (1 - edge)``.
        min_seed_px: Smaller seeds are dropped, pixels (:func:`seed_area_px`).
        min_area_px: Smallest building kept, pixels.
        simplify_px: Douglas-Peucker tolerance of the polygons, pixels.
        cut_contacts: Flood ``footprint * (1 - contact)`` alone, as the winner did.
        keep_seedless: Keep parts without a seed as one building each.
    """

    threshold: float = 0.5
    seed_threshold: float = 0.75
    min_seed_px: int = REFERENCE_SEED_PX
    min_area_px: int = 80
    simplify_px: float = 0.5
    cut_contacts: bool = False
    keep_seedless: bool = True


def building_instances(
    footprint: Floats, edge: Floats, contact: Floats, *, settings: WatershedSettings
) -> Labels:
    """Label buildings, touching ones apart.

    Args:
        footprint: Building probability, (H, W).
        edge: Probability of the rim inside a building, (H, W).
        contact: Probability of what touches two buildings, (H, W).
        settings: Thresholds.

    Returns:
        (H, W) int32: 0 is background, buildings are numbered 1..K without gaps, each 4-connected.
    """
    body = footprint * (1 - contact)
    inside = (body if settings.cut_contacts else footprint) > settings.threshold
    core = inside & (body * (1 - contact) * (1 - edge) > settings.seed_threshold)
    seeds = large_parts(ndimage.label(core, structure=_EIGHT_CONNECTED)[0], settings.min_seed_px)
    if settings.keep_seedless:
        seeds = _with_seedless(seeds, inside)
    flooded = watershed(-body, seeds, mask=inside, connectivity=1)  # type: ignore[no-untyped-call]
    # A seed is 8-connected: what joins at a corner alone is drawn as two buildings.
    return large_parts(_four_connected(flooded), settings.min_area_px)


def vectorise_contours(
    footprint: Floats,
    edge: Floats,
    contact: Floats,
    *,
    orientation: int,
    settings: WatershedSettings,
    confidence: Floats | None = None,
) -> Proposals:
    """Draw the building polygons of one tile in the release's orientation.

    Args:
        footprint: Building probability in store orientation, (H, W).
        edge: As for :func:`building_instances`, (H, W).
        contact: The same.
        orientation: The strip's flag, undone before anything is drawn.
        settings: Thresholds.
        confidence: What is averaged over a building as its confidence, (H, W); ``footprint`` by default, as
            :func:`components.lib.geo.vectorise.vectorise` has it.
    """
    building = align(footprint, orientation)
    labels = building_instances(
        building, align(edge, orientation), align(contact, orientation), settings=settings
    )
    averaged = building if confidence is None else align(confidence, orientation)
    return draw_parts(labels, averaged, simplify_px=settings.simplify_px)


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
