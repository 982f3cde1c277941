"""Side from which a strip was imaged, and the turn that makes all tiles look the same way.

A tile imaged from the south (flag 1) is turned by 180 degrees, so that layover and shadow fall the same way
in every training image, as in the SpaceNet 6 baseline (docs/methods/spacenet6.md). Turning is its own
inverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from components.contract.errors import BadDataError
from components.lib.foreign import decode_text, one_line

T = TypeVar("T", bound=np.generic)

Orientation = Literal[0, 1]
"""0: imaged from the north, stored as it is. 1: imaged from the south, stored turned by 180 degrees."""


@dataclass(frozen=True, slots=True)
class Orientations:
    """Content of one file of orientation flags.

    Attributes:
        name: File name, for messages.
        flags: Flag of every strip that the file is clear about.
        faults: First word of a malformed line, or a strip with both flags, to what is wrong, with its line.
    """

    name: str
    flags: Mapping[str, Orientation]
    faults: Mapping[str, str]

    def why_unknown(self, strip: str) -> str:
        """Return why ``strip`` has no flag, in words."""
        if strip in self.faults:
            return self.faults[strip]
        other = next(iter(self.faults.values()), "")  # the strip's own line may have a misspelt name
        return f"strip {strip} is not in {self.name}" + (f"; {other}" if other else "")


def read_orientations(content: bytes, name: str) -> Orientations:
    """Read the file of orientation flags (``Summaries.orientations`` of a data set).

    A malformed line, or one that contradicts another, leaves its strip without a flag and the others as
    they are.

    Args:
        content: Lines ``<start14>_<stop14> <0|1>``, no header; UTF-8, with or without a byte order mark.
        name: File name, for messages.

    Returns:
        The flag of every strip, and what is wrong with the strips that have none.

    Raises:
        BadDataError: If lines are wrong and no strip has a flag, or the text is not UTF-8.
    """
    flags: dict[str, Orientation] = {}
    faults: dict[str, str] = {}
    for number, line in enumerate(decode_text(content, name).splitlines(), 1):
        match line.split():
            case []:
                continue
            case [strip, "0" | "1" as flag]:
                value: Orientation = 1 if flag == "1" else 0
                if flags.setdefault(strip, value) != value:
                    faults.setdefault(strip, f"{name} line {number}: strip {strip} appears with both flags")
            case [word, *_]:
                what = f"{one_line(line)[:80]!r} is not '<strip> <0|1>'"
                faults.setdefault(word, f"{name} line {number}: {what}")
    clear = {strip: flag for strip, flag in flags.items() if strip not in faults}
    if faults and not clear:
        raise BadDataError(
            next(iter(faults.values())), next_step="correct the orientation file of this acquisition"
        )
    return Orientations(name, clear, faults)


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
