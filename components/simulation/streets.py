"""Centre lines of the city's streets: what ``ground`` draws as roads, as lines for road labels and for OSM.

A district's streets are the lines of its grid, cut at its cell; the roads between districts are the edges of
the Voronoi cells. Lines share vertices where they cross and where a street runs into a road. There are no
bridges, as ``ground`` draws none: streets end at the bank of a canal, and all lines at the quay of the river.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import cast

import numpy as np
import shapely

from components.simulation.city import REACH_M, RIVER_HALF_M, RIVER_X_M, City, District, Index, neighbours
from components.simulation.frame import Bounds, Double

BANK_M = 2.5
"""Width of the verge that ``ground`` draws along roads and canals between districts, metres."""
QUAY_M = RIVER_HALF_M + 6.0
"""Distance from the river's middle, along an easting, within which ``ground`` draws quay or water, metres."""
MIN_VISIBLE_M = 5.0
"""A grid line that shows less than this between the roads around its district is no street, metres."""
PRIMARY_HALF_M = 9.0
"""Half the width from which on a road between districts is a primary one, metres."""


class StreetClass(StrEnum):
    """Class of a street, by the value that OpenStreetMap has for it in ``highway``."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    RESIDENTIAL = "residential"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Street:
    """One street.

    Attributes:
        name: Identity within the city, the same whatever box is asked.
        line: Centre line, EPSG:32631, metres.
        kind: Its class: ``primary`` and ``secondary`` between districts, by width; ``service`` in industry
            and parks; ``residential`` in all other districts.
        width_m: Width of its surface, without verges and pavements, metres.
    """

    name: str
    line: shapely.LineString
    kind: StreetClass
    width_m: float


def streets_in(city: City, bounds: Bounds) -> list[Street]:
    """Return the streets whose surface meets ``bounds`` (EPSG:32631), whole, in the order of their names."""
    west, south, east, north = bounds
    margin = PRIMARY_HALF_M
    sites = city.sites_near((west - margin, south - margin, east + margin, north + margin))
    cells = {index: _Cell(city, index) for index in sites}
    found = [street for cell in cells.values() for street in cell.streets()]
    for first, second in ((a, b) for a in sites for b in neighbours(a) if a < b and b in cells):
        found += _road(city, cells[first], cells[second])
    lines = np.array([street.line for street in found], dtype=object)
    reach = np.array([street.width_m / 2 for street in found])
    near = np.flatnonzero(shapely.distance(lines, shapely.box(*bounds)) <= reach)
    return sorted((found[k] for k in near), key=lambda street: street.name)


@dataclass(frozen=True, slots=True)
class _Plane:
    """Side of a cell, whose points p have ``normal`` . (p - site) <= ``reach``; ``other`` lies beyond."""

    normal: Double
    reach: float
    other: Index


@dataclass(frozen=True, slots=True)
class _End:
    """End of a cut line: its place along the line, metres, and the neighbour that cuts it there."""

    at: float
    other: Index


@dataclass(frozen=True, slots=True)
class _GridLine:
    """A kept line of a district's grid: axis it is constant on (0: u), number, value, and both ends."""

    axis: int
    number: int
    value: float
    low: _End
    high: _End


class _Cell:
    """The streets of one district."""

    def __init__(self, city: City, index: Index) -> None:
        self.city, self.index, self.site = city, index, city.district(index)
        site = self.site
        self.axes = np.array(
            [[np.cos(site.angle), np.sin(site.angle)], [-np.sin(site.angle), np.cos(site.angle)]]
        )

    def place(self, u: float, v: float) -> tuple[float, float]:
        """Turn district coordinates into eastings and northings."""
        x, y = np.array([u, v]) @ self.axes
        return (self.site.x + float(x), self.site.y + float(y))

    @cached_property
    def lines(self) -> list[_GridLine]:
        """All streets of the district, uncut by the river."""
        if self.site.kind.street <= 0:
            return []
        borders = {other: self.city.border(self.index, other) for other in neighbours(self.index)}
        ends = self._planes({other: b.half + BANK_M if b.water else 0.0 for other, b in borders.items()})
        shown = self._planes({other: b.half + BANK_M for other, b in borders.items()})
        kept = []
        for axis, pitch in enumerate((self.site.pitch_u, self.site.pitch_v)):
            along = self.axes[1 - axis]
            for number in range(-int(REACH_M // pitch), int(REACH_M // pitch) + 1):
                base = self.axes[axis] * (number * pitch)
                visible, cut = _cut(base, along, shown), _cut(base, along, ends)
                if visible is None or cut is None or visible[1].at - visible[0].at < MIN_VISIBLE_M:
                    continue
                kept.append(_GridLine(axis, number, number * pitch, *cut))
        return kept

    def streets(self) -> Iterator[Street]:
        """Yield the district's streets, with a vertex where they cross."""
        name = self.site.kind.name
        kind = StreetClass.SERVICE if name in ("industry", "park") else StreetClass.RESIDENTIAL
        for line in self.lines:
            cross = [
                other.value
                for other in self.lines
                if other.axis != line.axis
                and line.low.at < other.value < line.high.at
                and other.low.at < line.value < other.high.at
            ]
            places = [self._on(line, at) for at in (line.low.at, *cross, line.high.at)]
            name = f"{_label(self.index)} {'uv'[line.axis]}{line.number}"
            yield from _ashore(self.city, self.site, (name, kind, self.site.kind.street), places)

    def junctions(self, other: Index) -> list[tuple[float, float]]:
        """Return where the district's streets run into its border with ``other``."""
        return [
            self._on(line, end.at)
            for line in self.lines
            for end in (line.low, line.high)
            if end.other == other
        ]

    def edge(self, other: Index) -> list[tuple[float, float]] | None:
        """Return both ends of the cell's edge towards ``other``, None if the two cells do not touch."""
        mine = np.array([self.site.x, self.site.y])
        theirs = self.city.district(other)
        across = np.array([theirs.x, theirs.y]) - mine
        along = np.array([-across[1], across[0]]) / np.hypot(*across)
        cut = _cut(across / 2, along, [p for p in self._planes({}) if p.other != other])
        return None if cut is None else [self._corner(other, end.other) for end in cut]

    def _corner(self, second: Index, third: Index) -> tuple[float, float]:
        """Return the point that three sites are equally far from, the same bits from each of them."""
        a, b, c = (self.city.district(index) for index in sorted((self.index, second, third)))
        bx, by, cx, cy = b.x - a.x, b.y - a.y, c.x - a.x, c.y - a.y
        double = 2 * (bx * cy - by * cx)
        b2, c2 = bx * bx + by * by, cx * cx + cy * cy
        return (a.x + (cy * b2 - by * c2) / double, a.y + (bx * c2 - cx * b2) / double)

    def _on(self, line: _GridLine, at: float) -> tuple[float, float]:
        return self.place(line.value, at) if line.axis == 0 else self.place(at, line.value)

    def _planes(self, margins: dict[Index, float]) -> list[_Plane]:
        """Return the sides of the cell, each moved inwards by its margin."""
        planes = []
        for other in neighbours(self.index):
            far = self.city.district(other)
            across = np.array([far.x - self.site.x, far.y - self.site.y])
            length = float(np.hypot(*across))
            planes.append(_Plane(across / length, length / 2 - margins.get(other, 0.0), other))
        return planes


def _cut(base: Double, along: Double, planes: list[_Plane]) -> tuple[_End, _End] | None:
    """Cut the line ``base + t along`` by the sides of a cell; None if nothing of it is inside."""
    low, high = _End(-np.inf, (0, 0)), _End(np.inf, (0, 0))
    for plane in planes:
        slope, room = float(plane.normal @ along), plane.reach - float(plane.normal @ base)
        if abs(slope) < 1e-12:
            if room < 0:
                return None
        elif slope > 0:
            high = min(high, _End(room / slope, plane.other), key=lambda end: end.at)
        else:
            low = max(low, _End(room / slope, plane.other), key=lambda end: end.at)
    return (low, high) if low.at < high.at else None


def _road(city: City, first: _Cell, second: _Cell) -> Iterator[Street]:
    """Yield the road between two districts, in pieces if the river crosses it; none along a canal."""
    border = city.border(first.index, second.index)
    ends = None if border.water else first.edge(second.index)
    if ends is None:
        return
    start, end = ends
    joined = first.junctions(second.index) + second.junctions(first.index)
    joined.sort(key=lambda place: float(np.hypot(place[0] - start[0], place[1] - start[1])))
    kind = StreetClass.PRIMARY if border.half >= PRIMARY_HALF_M else StreetClass.SECONDARY
    name = f"{_label(first.index)} to {_label(second.index)}"
    yield from _ashore(city, first.site, (name, kind, 2 * border.half), [start, *joined, end])


def _ashore(
    city: City, site: District, what: tuple[str, StreetClass, float], places: list[tuple[float, float]]
) -> Iterator[Street]:
    """Yield a street through ``places``, in pieces where the river or its quay covers it."""
    name, kind, width_m = what
    line = shapely.LineString(places)
    # Far from the river nothing needs a cut: its bends stay within 120 m, a cell within its reach.
    if abs(site.x - RIVER_X_M) > 120 + QUAY_M + REACH_M:
        yield Street(name, line, kind, width_m)
        return
    y = np.arange((site.y - 2 * REACH_M) // 10, (site.y + 2 * REACH_M) // 10) * 10.0
    middle = city.river(y)
    banks = np.concatenate(
        [np.stack([middle - QUAY_M, y], axis=1), np.stack([middle + QUAY_M, y], axis=1)[::-1]]
    )
    dry = cast("shapely.LineString | shapely.MultiLineString", line.difference(shapely.Polygon(banks)))
    pieces = [piece for piece in shapely.get_parts(dry) if piece.length >= MIN_VISIBLE_M]
    for number, piece in enumerate(pieces):
        yield Street(name if len(pieces) == 1 else f"{name} part {number}", piece, kind, width_m)


def _label(index: Index) -> str:
    return f"{index[0]}/{index[1]}"
