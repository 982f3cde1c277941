"""Geometric augmentation of crops of pairs: one affine map per crop, for both dates and the label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.engine.jitter import sample

Float32 = npt.NDArray[np.float32]

FLIP = TRANSPOSE = 0.5
ROTATE = SHIFT_SCALE_ROTATE = 0.3
"""Probabilities of the four changes (SGSLN's code)."""

LARGEST_TURN_DEG = 45.0
LARGEST_SHIFT = 0.0625
LARGEST_SCALE = 0.1
"""Bounds of turn, shift (share of the crop's side) and zoom; those of shift and zoom are ours."""


def draw_places(random: np.random.Generator, count: int, *, turns: bool) -> Float32:
    """Draw the affine maps of ``count`` crops.

    Args:
        random: Generator of the step.
        count: Number of crops.
        turns: True for optical images alone. Radar looks along image columns, so that a turn, a transposition
            or an up-down flip would put layover and shadow where no radar does: crops with a radar image are
            flipped left to right, shifted and zoomed.

    Returns:
        (count, 2, 3): place in the source of a place in the result, both (x, y) in half sides from the
        centre.
    """
    # Every crop draws every number, so that no draw depends on another's outcome.
    chance, amount = random.random((count, 5)), random.uniform(-1.0, 1.0, (count, 5))
    maps = np.zeros((count, 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = 1.0
    flipped, which = chance[:, 0] < FLIP, (chance[:, 4] * 3).astype(int) if turns else np.zeros(count, int)
    maps[:, 0, 0] *= np.where(flipped & (which != 1), -1, 1)
    maps[:, 1, 1] *= np.where(flipped & (which != 0), -1, 1)
    shifted = chance[:, 3] < SHIFT_SCALE_ROTATE
    linear = maps[:, :, :2]
    if turns:
        transposed = (chance[:, 1] < TRANSPOSE)[:, None, None]
        linear = np.where(transposed, linear[:, ::-1], linear)
        angles = LARGEST_TURN_DEG * ((chance[:, 2] < ROTATE) * amount[:, 0] + shifted * amount[:, 1])
        linear = linear @ _turns(np.radians(angles))
    maps[:, :, :2] = linear / (1.0 + LARGEST_SCALE * shifted * amount[:, 2])[:, None, None]
    maps[:, :, 2] = 2 * LARGEST_SHIFT * shifted[:, None] * amount[:, 3:5]
    return maps.astype(np.float32)


def moved(layer: Tensor, places: Tensor, *, code: bool) -> Tensor:
    """Return a layer (B, C, side, side) under the maps of :func:`draw_places`, of the same type and size.

    What comes from beyond the edge is the layer's reflection.

    Args:
        layer: uint8 or floating.
        places: (B, 2, 3) float32 on the layer's device.
        code: True for labels, of which the nearest is taken.
    """
    grid = F.affine_grid(places.float(), [*layer.shape], align_corners=False)
    return sample(layer, grid, code=code, beyond="reflection")


def _turns(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=1)
