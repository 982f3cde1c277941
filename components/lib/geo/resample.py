"""Bilinear resampling that never mixes no-data into valid pixels."""

from __future__ import annotations

from dataclasses import dataclass

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
    rows, columns = Axis.over(valid.shape[0], height), Axis.over(valid.shape[1], width)
    return blend(array, valid, rows.taps(0, height), columns.taps(0, width))


@dataclass(frozen=True, slots=True)
class Axis:
    """Place of a target grid's pixels on a source grid, along rows or along columns.

    Attributes:
        length: Pixels of the source.
        step: Size of a target pixel in source pixels.
        shift: Source pixels from the source's first edge to the target's.
    """

    length: int
    step: float
    shift: float = 0.0

    @classmethod
    def over(cls, source: int, target: int) -> Axis:
        """Return the axis of ``target`` pixels over the ground of ``source`` pixels."""
        return cls(source, source / target)

    def centres(self, first: int, end: int) -> npt.NDArray[np.float64]:
        """Return the centres of target pixels ``first`` to ``end - 1``: 0 is the first source pixel's."""
        return np.asarray((np.arange(first, end) + 0.5) * self.step + self.shift - 0.5)

    def taps(self, first: int, end: int) -> Taps:
        """Return what target pixels ``first`` to ``end - 1`` are blended from.

        The same for a pixel whatever the range it is asked for in; beyond the source's ends the last pixel.
        """
        centre = np.clip(self.centres(first, end), 0, self.length - 1)
        low = np.minimum(np.floor(centre).astype(np.intp), self.length - 1)
        return Taps(low, np.minimum(low + 1, self.length - 1), (centre - low).astype(np.float32))

    def inside(self, first: int, end: int) -> Mask:
        """Return which of target pixels ``first`` to ``end - 1`` have their centre on the source's ground."""
        centre = self.centres(first, end)
        return np.asarray((centre >= -0.5) & (centre < self.length - 0.5))


@dataclass(frozen=True, slots=True)
class Taps:
    """Neighbours of target centres on an axis, (N,) each.

    Attributes:
        low: Source pixel at or before the centre.
        high: Source pixel behind it.
        weight: Weight of ``high``; that of ``low`` is the rest.
    """

    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]
    weight: Float

    @property
    def span(self) -> tuple[int, int]:
        """First source pixel needed, and the one behind the last."""
        return int(self.low.min()), int(self.high.max()) + 1

    def within(self, first: int) -> Taps:
        """Return the same taps on an array that starts with source pixel ``first``."""
        return Taps(self.low - first, self.high - first, self.weight)


def blend(array: Float, valid: Mask, rows: Taps, columns: Taps) -> tuple[Float, Mask]:
    """Blend source pixels into target pixels, as :func:`resample` says.

    Args:
        array: (C, H, W) float32.
        valid: (H, W), False where there are no data.
        rows: Taps of N rows.
        columns: Taps of M columns.

    Returns:
        (C, N, M) float32 and its (N, M) mask.
    """
    weight = _separable(valid.astype(np.float32)[None], rows, columns)[0]
    total = _separable(np.where(valid, array, np.float32(0)), rows, columns)
    mask = weight >= np.float32(0.5)
    return np.where(mask, total / np.where(mask, weight, np.float32(1)), np.float32(0)), mask


def _separable(array: Float, rows: Taps, columns: Taps) -> Float:
    down, along = rows.weight, columns.weight
    along_y: Float = array[:, rows.low] * (1 - down)[:, None] + array[:, rows.high] * down[:, None]
    result: Float = along_y[:, :, columns.low] * (1 - along) + along_y[:, :, columns.high] * along
    return result
