"""Offset of an image from the outlines of buildings: the one shift that pixels alone do not show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

REACH_PX = 48
"""Farthest offset that is looked for, pixels each way."""

LEAST_SHARE = 0.01
"""Least share of buildings among the valid pixels; with fewer there is nothing to hold the image against."""


def offset_px(image: npt.NDArray[np.float32], valid: Mask, buildings: Mask) -> tuple[int, int] | None:
    """Return where the image fits the outlines best: the peak of their cross-correlation.

    Radar draws a building beside its outline (layover), so that a rightly placed image has an offset, too:
    offsets tell something only in comparison with others of the same sensor and view.

    Args:
        image: Mean of the bands, (H, W), in the product's units.
        valid: Pixels with data, (H, W).
        buildings: Pixels of buildings by the outlines, (H, W).

    Returns:
        Pixels down and to the right by which the image lies beside the outlines; None where too little of
        the tile is built, or all of it.
    """
    share = float(buildings[valid].mean()) if valid.any() else 0.0
    if not LEAST_SHARE <= share <= 1.0 - LEAST_SHARE:
        return None
    bright = np.where(valid, image - image[valid].mean(), 0.0)
    drawn = np.where(valid, buildings - share, 0.0)
    shape = [side + REACH_PX for side in image.shape]
    product = np.fft.rfft2(bright, s=shape) * np.conj(np.fft.rfft2(drawn, s=shape))
    correlation = np.fft.irfft2(product, s=shape)
    near = np.arange(-REACH_PX, REACH_PX + 1)
    window = correlation[np.ix_(near, near)]
    down, right = np.unravel_index(int(np.argmax(window)), window.shape)
    return int(near[down]), int(near[right])
