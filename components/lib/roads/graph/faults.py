"""Faults of drawn roads, and the repair of what can be repaired.

The Java scorer stops at the first fault of either file. Here ``strict`` lists all of them, and ``tolerant``
repairs them in a fixed order and counts each repair (docs/methods/metrics.md, "Graph metrics").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from components.contract.errors import BadDataError
from components.lib.roads.graph.drawn import Road
from components.lib.roads.graph.model import Floats

UNREADABLE: Final = "unreadable"
MULTI: Final = "multi_line"
TAG: Final = "dimension_tag"
CLOSE: Final = "close_vertices"
ONE_POINT: Final = "one_point_line"
REPEATED: Final = "repeated_section"
EMPTY: Final = "empty_beside_roads"

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one road: its kind, the road's place, and what is wrong in words."""

    kind: str
    place: str
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines of one image after all repairs.

    Attributes:
        lines: Vertices of each line, (K, 2) with K of 2 or more, no two successive ones in one place.
        faults: What was wrong, one entry for each repair.
    """

    lines: list[Floats]
    faults: list[Fault]

    def counts(self) -> Counter[str]:
        """Return the number of repairs by kind."""
        return Counter(fault.kind for fault in self.faults)


def repaired(roads: Iterable[Road], *, close: float, grid: float) -> Lines:
    """Return the lines of one image, repaired, and all that was wrong.

    Args:
        roads: Rows or features of the image.
        close: Successive vertices nearer than this are one; equal ones always are.
        grid: Vertices that round to the same multiple are in one place; 0 joins equal ones alone.
    """
    faults: list[Fault] = []
    lines: list[Floats] = []
    empty: list[Road] = []
    seen: set[tuple[float, ...]] = set()
    for road in roads:
        if road.problem:
            faults.append(Fault(UNREADABLE, road.place, road.problem))
            continue
        if not road.parts:
            empty.append(road)
        if road.tagged:
            faults.append(Fault(TAG, road.place, "a tag of dimensions, as in LINESTRING Z"))
        if road.multi:
            faults.append(Fault(MULTI, road.place, "a MULTILINESTRING"))
        for part in road.parts:
            line = _apart(part, close)
            faults += [Fault(CLOSE, road.place, "two successive vertices in one place")] * (
                len(part) - len(line)
            )
            if len(line) < 2:
                faults.append(Fault(ONE_POINT, road.place, "a line of one point"))
                continue
            pieces, repeats = _once(line, grid, seen)
            faults += [Fault(REPEATED, road.place, "a section that occurs twice")] * repeats
            lines += pieces
    if lines:
        faults += [Fault(EMPTY, road.place, "EMPTY beside roads") for road in empty]
    return Lines(lines, faults)


def refuse(faults: Mapping[str, Sequence[Fault]], name: str, why: str) -> None:
    """Raise if there is a fault.

    Args:
        faults: Faults by image; an image without a name is the whole file.
        name: File name.
        why: Reason that the file must have none.

    Raises:
        BadDataError: If there is one, listing the first ten with image and place.
    """
    told = [
        f"{image + ', ' if image else ''}{fault.place}: {fault.what}"
        for image, found in faults.items()
        for fault in found
    ]
    if not told:
        return
    more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    raise BadDataError(
        f"{name}: {len(told)} fault(s), {why}: {'; '.join(told[:_SHOWN] + more)}",
        next_step="correct the file; a proposal is repaired by --mode tolerant",
    )


def _apart(part: Floats, close: float) -> Floats:
    """Return the vertices of a line without those too near to the one before."""
    steps = np.hypot(*np.diff(part, axis=0).T)
    if len(part) < 2 or ((steps >= close) & (steps > 0)).all():
        return part
    kept = [part[0]]
    for point in part[1:]:
        distance = float(np.hypot(*(point - kept[-1])))
        if distance > 0 and distance >= close:
            kept.append(point)
    return np.array(kept)


def _once(line: Floats, grid: float, seen: set[tuple[float, ...]]) -> tuple[list[Floats], int]:
    """Return the pieces of a line without sections that ``seen`` holds, and how many these are."""
    keys = np.floor(line / grid + 0.5) if grid else line
    ends = [tuple(key) for key in keys.tolist()]
    pieces, start, repeats = list[Floats](), 0, 0
    for number, (first, second) in enumerate(pairwise(ends)):
        section = (*min(first, second), *max(first, second))
        if first != second and section in seen:  # within one cell of the grid it is a self-loop
            repeats += 1
            if number > start:
                pieces.append(line[start : number + 1])
            start = number + 1
        seen.add(section)
    if start < len(line) - 1:
        pieces.append(line[start:])
    return pieces, repeats
