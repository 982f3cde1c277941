"""Side from which a strip was imaged, and the turn that makes all tiles look the same way.

A tile imaged from the south (flag 1) is turned by 180 degrees, so that layover and shadow fall the same way
in every training image, as in the SpaceNet 6 baseline (docs/methods/spacenet6.md). Turning is its own
inverse.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from components.contract.errors import BadDataError
from components.lib.foreign import decode_text, one_line

T = TypeVar("T", bound=np.generic)

Orientation = Literal[0, 1]
"""0: imaged from the north, stored as it is. 1: imaged from the south, stored turned by 180 degrees."""


def read_orientations(content: bytes, name: str) -> dict[str, Orientation]:
    """Read the file of orientation flags (``Summaries.orientations`` of a data set).

    Args:
        content: Lines ``<start14>_<stop14> <0|1>``, no header; UTF-8, with or without a byte order mark.
        name: File name, for messages.

    Returns:
        The flag of every strip.

    Raises:
        BadDataError: If a line is malformed or contradicts an earlier one, or the text is not UTF-8.
    """
    flags: dict[str, Orientation] = {}
    for number, line in enumerate(decode_text(content, name).splitlines(), 1):
        match line.split():
            case []:
                continue
            case [strip, "0" | "1" as flag]:
                value: Orientation = 1 if flag == "1" else 0
                if flags.setdefault(strip, value) != value:
                    raise _bad(f"{name} line {number}: strip {strip} appears with both flags")
            case _:
                raise _bad(f"{name} line {number}: {one_line(line)[:80]!r} is not '<strip> <0|1>'")
    return flags


def align(array: npt.NDArray[T], orientation: int) -> npt.NDArray[T]:
    """Turn a raster of a flag-1 tile by 180 degrees (flipud + fliplr); undoes itself.

    Args:
        array: (H, W) or (H, W, C).
        orientation: The strip's flag.

    Returns:
        A view for either flag.
    """
    return array[::-1, ::-1] if orientation == 1 else array


def align_polygon(polygon: shapely.Polygon, orientation: int, height: int, width: int) -> shapely.Polygon:
    """Turn a pixel-coordinate polygon as :func:`align` turns the raster it lies on; undoes itself.

    Args:
        polygon: Pixel coordinates, (0, 0) the outer corner of the first pixel.
        orientation: The strip's flag.
        height: Rows of the raster.
        width: Columns of the raster.

    Returns:
        The polygon, exact wherever ``width - x`` is a float (all pixel corners and their binary fractions).
    """
    if orientation != 1:
        return polygon

    def turn(xy: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        return np.array([width, height], dtype=np.float64) - xy

    return shapely.transform(polygon, turn)


def _bad(message: str) -> BadDataError:
    return BadDataError(message, next_step="correct the orientation file of this acquisition")
