"""Bilinear resampling that never mixes no-data into valid pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def resample(array: Float, valid: Mask, height: int, width: int) -> tuple[Float, Mask]:
    """Sample a raster onto another grid over the same ground, bilinear between valid pixel centres.

    Args:
        array: (C, H, W) float32.
        valid: (H, W), False where there are no data; such pixels enter no value.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        (C, height, width) float32 and its (height, width) mask. A result pixel is valid where valid pixels
        hold at least half of its bilinear weight, so that the border neither grows nor shrinks; elsewhere
        its value is 0. The same size gives the input back.
    """
    if (height, width) == array.shape[1:]:
        return np.where(valid, array, np.float32(0)), valid
    rows, columns = _taps(valid.shape[0], height), _taps(valid.shape[1], width)
    weight = _separable(valid.astype(np.float32)[None], rows, columns)[0]
    total = _separable(np.where(valid, array, np.float32(0)), rows, columns)
    mask = weight >= np.float32(0.5)
    return np.where(mask, total / np.where(mask, weight, np.float32(1)), np.float32(0)), mask


Taps = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Float]


def _taps(source: int, target: int) -> Taps:
    """Lower and upper neighbour of every target centre on an axis, and the upper one's weight."""
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    centre = np.clip(centre, 0, source - 1)
    low = np.minimum(np.floor(centre).astype(np.intp), source - 1)
    return low, np.minimum(low + 1, source - 1), (centre - low).astype(np.float32)


def _separable(array: Float, rows: Taps, columns: Taps) -> Float:
    low, high, weight = rows
    along_y: Float = array[:, low] * (1 - weight)[:, None] + array[:, high] * weight[:, None]
    low, high, weight = columns
    result: Float = along_y[:, :, low] * (1 - weight) + along_y[:, :, high] * weight
    return result
