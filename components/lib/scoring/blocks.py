"""Ground blocks: squares of a fixed grid in map coordinates, the units that intervals resample.

Tiles overlap, so two tiles are never independent; two blocks share no ground, because every pixel and every
building counts in the block that it lies in, whatever tile shows it. A block is wider than the distance over
which scores correlate (docs/methods/metrics.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BlockPart:
    """Part of a tile's stored array that lies in one ground block.

    Attributes:
        block: Name of the block, ``<column>_<row>`` of the grid.
        rows: Rows of the stored array.
        cols: Columns of the stored array.
    """

    block: str
    rows: slice
    cols: slice


def block_names(x_m: Float, y_m: Float, block_m: float) -> list[str]:
    """Return the blocks of points in map coordinates, metres east and north.

    Args:
        x_m: Eastings, (N,).
        y_m: Northings, (N,).
        block_m: Side of a block, metres.
    """
    columns, rows = np.floor(x_m / block_m).astype(int), np.floor(y_m / block_m).astype(int)
    return [f"{column}_{row}" for column, row in zip(columns, rows, strict=True)]


def block_parts(
    *,
    x_left_m: float,
    y_top_m: float,
    gsd_m: float,
    height: int,
    width: int,
    orientation: int,
    block_m: float,
) -> list[BlockPart]:
    """Divide a tile's stored array among the ground blocks; a pixel belongs where its centre lies.

    Args:
        x_left_m: West edge of the tile, metres east.
        y_top_m: North edge of the tile, metres north.
        gsd_m: Pixel size, metres.
        height: Rows of the stored array.
        width: Columns of the stored array.
        orientation: 1 where the stored array is turned by 180 degrees, 0 where it is not.
        block_m: Side of a block, metres.

    Returns:
        Disjoint parts that together are the whole array.
    """
    columns = np.floor((x_left_m + (np.arange(width) + 0.5) * gsd_m) / block_m).astype(int)
    rows = np.floor((y_top_m - (np.arange(height) + 0.5) * gsd_m) / block_m).astype(int)
    if orientation == 1:
        columns, rows = columns[::-1], rows[::-1]
    return [
        BlockPart(f"{column}_{row}", down, across)
        for row, down in _runs(rows)
        for column, across in _runs(columns)
    ]


def _runs(values: npt.NDArray[np.integer]) -> list[tuple[int, slice]]:
    """Return the runs of equal numbers and where they lie."""
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    ends = [*starts[1:], len(values)]
    return [
        (int(values[start]), slice(int(start), int(end))) for start, end in zip(starts, ends, strict=True)
    ]
