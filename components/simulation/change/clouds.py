"""Opaque clouds over an optical image, and the shadows of clouds, which may lie beside it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from components.lib.change.pair import Pixels
from components.simulation.conditions import Conditions
from components.simulation.frame import GSD_M, Float

CELL_PX = 8
"""Pixels per cell of the noise that clouds are cut from."""
CELLS = 128
"""Side of that noise, which repeats."""
SIZES = ((7.0, 1.0), (2.5, 0.3))
"""Correlation lengths of the noise, cells, and their weights."""
HEIGHT_M = 300.0
"""Height of the clouds."""
FRINGE = 0.12
"""Depth of the fringe over which a cloud thins out, in standard deviations of the noise."""
WHITE = (236.0, 238.0, 242.0)
"""Red, green and blue of a cloud."""
SHADOW = 0.5
"""Light that a cloud's shadow leaves."""


def cover(image: Pixels, share: float, conditions: Conditions, rng: np.random.Generator) -> Pixels:
    """Return ``image`` with ``share`` of its pixels under cloud.

    Args:
        image: Red, green and blue, uint8 (H, W, 3).
        share: Share of the pixels that show nothing but cloud; their fringes and shadows come on top.
        conditions: Light of the image: clouds throw their shadows away from the sun.
        rng: Source of the draws.
    """
    noise = _noise(rng)
    rows, cols = image.shape[:2]
    above = _over(noise, rows, cols, (0.0, 0.0))
    east, north = (HEIGHT_M * metres / GSD_M for metres in conditions.shadow)
    # A pixel lies in the shadow of the cloud that the shadow is displaced from.
    sunward = _over(noise, rows, cols, (north, -east))
    threshold = np.quantile(above, 1.0 - share) if share < 1 else above.min()
    cloud, shadow = (np.clip((field - threshold) / FRINGE + 1.0, 0.0, 1.0) for field in (above, sunward))
    lit = image * (1.0 - (1.0 - SHADOW) * shadow)[..., None]
    billows = 1.0 + 0.04 * np.clip(above - threshold, 0.0, 2.0)
    white = np.array(WHITE) * billows[..., None]
    covered = lit + cloud[..., None] * (white - lit)
    return np.clip(np.rint(covered), 1, 255).astype(np.uint8)


def _noise(rng: np.random.Generator) -> Float:
    """Return smooth noise of unit variance that repeats after ``CELLS`` cells."""
    white = rng.standard_normal((CELLS, CELLS))
    total = np.zeros_like(white)
    for size, weight in SIZES:
        smooth = gaussian_filter(white, size, mode="wrap")
        total += weight * smooth / smooth.std()
    noise: Float = (total / total.std()).astype(np.float32)
    return noise


def _over(noise: Float, rows: int, cols: int, moved_px: tuple[float, float]) -> Float:
    """Return the noise on the pixels of an image whose first pixel lies at ``moved_px`` (row, column)."""
    row = (np.arange(rows) + moved_px[0]) / CELL_PX
    col = (np.arange(cols) + moved_px[1]) / CELL_PX
    at = np.stack(np.meshgrid(row, col, indexing="ij"))
    result: Float = map_coordinates(noise, at, order=3, mode="grid-wrap", output=np.float32)
    return result
