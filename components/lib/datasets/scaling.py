"""Pixel values of SAR products: where they are data, and their scale in the training store."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
StoredSar = npt.NDArray[Any]
"""(H, W, C) uint8 or float16, 0 where there are no data."""


def scale_sar(
    values: npt.NDArray[np.float32],
    valid: Mask,
    limits: tuple[float, float],
    dtype: Literal["uint8", "float16"] = "uint8",
) -> StoredSar:
    """Map SAR values to 1..255 by one fixed line for all tiles of a sensor.

    A scale of each tile's own (its extremes or moments) would hide differences in brightness between tiles.

    Args:
        values: (C, H, W) float32 in the product's units.
        valid: (H, W).
        limits: Values that become 1 and 255, the sensor's ``scale_limits``; values beyond are clipped.
        dtype: Number format of the result.

    Returns:
        (H, W, C): 0 without data, else ``1 + clip((v - low) / (high - low)) * 254``, rounded to whole numbers
        for uint8. float16 keeps 11 bits, so steps are at most 1/8.
    """
    low, high = limits
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    steps = share * np.float32(254.0)
    if dtype == "uint8":
        steps = np.rint(steps)
    scaled = np.where(valid, np.float32(1.0) + steps, np.float32(0.0)).astype(dtype)
    return np.ascontiguousarray(np.moveaxis(scaled, 0, -1))
