"""Masks of the pixels where a teacher can be followed: with data, out of layover, in agreement with labels.

Stored tiles are aligned (:mod:`components.lib.geo.orientation`): the radar stands beyond row 0 and looks
along image columns. A point at height h appears ``h / tan(incidence)`` nearer to it, that is further up
(:mod:`components.simulation.radar`; docs/methods/spacenet6.md). Above every building the radar therefore
shows facade and roof where the optical image shows the ground, and features cannot be equal there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.segmentation import IGNORE

TYPICAL_HEIGHT_M = 8.0
"""Height assumed of a building whose own is not known: two to three storeys, metres."""


def layover_px(incidence_deg: float, gsd_m: float, height_m: float = TYPICAL_HEIGHT_M) -> int:
    """Return the upward displacement of a point of ``height_m``, pixels, rounded up.

    Args:
        incidence_deg: Angle of the wave from the vertical.
        gsd_m: Pixel size of the stored grid.
        height_m: Height above ground.
    """
    displacement = height_m / (math.tan(math.radians(incidence_deg)) * gsd_m)
    return math.ceil(round(displacement, 6))  # tan(45 degrees) is a hair below 1


def layover_mask(footprints: Tensor, length_px: int) -> Tensor:
    """Return the band of ``length_px`` rows on the radar's side of each footprint, footprints left out.

    A building below the crop's last row cannot be seen, so neither can its layover.

    Args:
        footprints: (B, H, W), non-zero on buildings, aligned as stored; mirrored left to right at most.
        length_px: As :func:`layover_px` gives it.

    Returns:
        (B, H, W) bool.
    """
    building = (footprints != 0).to(torch.float32)
    below = F.pad(building, (0, 0, 0, length_px)).unsqueeze(1)
    reached = F.max_pool2d(below, (length_px + 1, 1), stride=1).squeeze(1)
    return (reached > 0) & (building == 0)


def data_mask(image: Tensor) -> Tensor:
    """Pixels with data, (B, H, W) bool, of a stored image (B, C, H, W): 0 in every band is none."""
    return (image != 0).any(dim=1)


def agreement_mask(teacher_logits: Tensor, truth: Tensor) -> Tensor:
    """Pixels whose class the teacher gets right, (B, H, W) bool.

    Args:
        teacher_logits: (B, K, H, W).
        truth: Class of each pixel, (B, H, W), any integer dtype.
    """
    return teacher_logits.argmax(dim=1) == truth


def trusted_labels(teacher_logits: Tensor, truth: Tensor) -> Tensor:
    """Return the teacher's classes where they are right, ``IGNORE`` elsewhere, (B, H, W) int64."""
    classes = teacher_logits.argmax(dim=1)
    return torch.where(classes == truth, classes, IGNORE)
