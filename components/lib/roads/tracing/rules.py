"""Rules by which a mask of roads becomes a graph, in metres.

They are those of the converter of the SpaceNet 3 winner (``SpaceNetChallenge/RoadDetector``, folder of
``albu``), whose pixels count 0.3 m here: docs/methods/road_graphs.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Final

from components.contract.errors import ParameterError

PIXEL_M: Final = 0.3
"""Size of a pixel of SpaceNet 3's pan-sharpened images, metres, by which the winner's pixels are metres."""

_LONGEST_M: Final = 1000.0
_LENGTHS: Final = frozenset({"border_m", "spur_m", "loop_m", "simplify_m", "long_gap_m"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingRules:
    """Lengths, areas and angles of the tracing; the winner's pixels in brackets.

    Attributes:
        threshold: A pixel is road where its probability exceeds this.
        least_area_m2: Smaller objects are removed and smaller holes filled, square metres (300 px).
        border_m: Width by which the border is repeated outwards before the skeleton is drawn, metres (5 px).
        spur_m: Roads with a dead end that are shorter are dropped, metres (10 px).
        loop_m: Roads from a junction back to it that are shorter are dropped, metres. Ours, for the winner's
            rule of under 3 points: the way around a square of two pixels is 4 px long.
        simplify_m: Tolerance of Douglas and Peucker, metres (2 px).
        gap_m: Dead ends nearer to each other are joined, metres (20 px).
        long_gap_m: Dead ends nearer to each other are joined if they nearly lie in one line, metres (100 px;
            the winner's text says 200).
        angle_deg: Largest angle between the directions of two dead ends in one line, degrees.
        offset_m: Largest distance of a dead end from the line that the other continues, metres (20 px).
        heading_m: Length over which the direction of a dead end is taken, metres. Ours: the winner takes the
            last straight piece, which may be a few pixels long.
    """

    threshold: float = 0.3
    least_area_m2: float = 27.0
    border_m: float = 1.5
    spur_m: float = 3.0
    loop_m: float = 1.5
    simplify_m: float = 0.6
    gap_m: float = 6.0
    long_gap_m: float = 30.0
    angle_deg: float = 20.0
    offset_m: float = 6.0
    heading_m: float = 6.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise _wrong(f"{name} is {value:g}, and must be finite and not negative")
            if name in _LENGTHS and value > _LONGEST_M:
                raise _wrong(f"{name} is {value:g}, and lengths are at most {_LONGEST_M:g} m")
        if self.gap_m > self.long_gap_m:
            raise _wrong(f"gap_m is at most long_gap_m, and {self.gap_m:g} is more than {self.long_gap_m:g}")
        if self.angle_deg > 90:
            raise _wrong(f"angle_deg is {self.angle_deg:g}, and at most 90")


def _wrong(why: str) -> ParameterError:
    return ParameterError(f"rules of tracing: {why}", next_step="leave the options out, or give such values")
