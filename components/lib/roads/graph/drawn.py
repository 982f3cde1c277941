"""Roads as files draw them, before any repair."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.lib.geo.wkt import MAX_COORDINATE
from components.lib.roads.graph.model import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Road:
    """A row or feature of a file.

    Attributes:
        place: Its place in the file, for messages.
        parts: Vertices of each line, (K, 2), finite; none for ``EMPTY`` or where ``problem`` says why.
        problem: What is wrong with its text or geometry as a whole, in words.
        tagged: True if the text states heights or measures (``LINESTRING Z``).
        multi: True if the text is a ``MULTILINESTRING``; GeoJSON may hold several lines in one feature.
        properties: Properties of a GeoJSON feature, as the file has them.
    """

    place: str
    parts: tuple[Floats, ...] = ()
    problem: str = ""
    tagged: bool = False
    multi: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)

    def scaled(self, factor: float) -> Road:
        """Return the road with its coordinates multiplied."""
        return replace(self, parts=tuple(part * factor for part in self.parts))


@dataclass(frozen=True, slots=True, eq=False)
class RoadFile:
    """Content of a file.

    Attributes:
        path: The file.
        images: Roads by image id; GeoJSON is one image without a name.
        pixels: True if the coordinates are pixels, as in a CSV.
        crs: ``EPSG:<code>`` or WKT of a GeoJSON file; None if it states none.
        left_out: Features that are no roads, by what they are: stop lines, points, features without geometry.
    """

    path: Path
    images: dict[str, list[Road]]
    pixels: bool
    crs: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)


def vertices(positions: Any, *, numbers: bool) -> Floats:  # noqa: ANN401 - whatever a stranger's file holds
    """Return the vertices (K, 2) of a line; what follows x and y is dropped.

    Args:
        positions: Two to four coordinates each.
        numbers: True if they must be numbers, False if they are texts of numbers.

    Raises:
        ValueError: If they are something else, not finite or beyond 1e9.
    """
    found = []
    for position in positions if isinstance(positions, list) else [None]:
        if not isinstance(position, list) or not 2 <= len(position) <= 4:
            raise ValueError("a position has no 2 to 4 coordinates")
        if numbers and any(isinstance(v, bool) or not isinstance(v, int | float) for v in position):
            raise ValueError("a coordinate is no number")
        try:
            x, y = float(position[0]), float(position[1])
        except (ValueError, OverflowError):
            raise ValueError("a coordinate is no number") from None
        if not (math.isfinite(x) and math.isfinite(y) and max(abs(x), abs(y)) <= MAX_COORDINATE):
            raise ValueError(f"a coordinate is not finite or beyond {MAX_COORDINATE:g}")
        found.append((x, y))
    return np.array(found, dtype=np.float64).reshape(-1, 2)
