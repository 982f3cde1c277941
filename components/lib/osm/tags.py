"""Tags of roads and buildings: what is drawn, how wide, and what is left out and why.

Tags are free text written by many hands. What can be read leniently is read; what cannot falls back to the
width table and is counted, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from components.lib.osm.terms import LEAST_WIDTH_M, MOST_WIDTH_M, Task

Values = Sequence[str | None]
"""Values of one object's tags in the order of a rule's ``keys``; None where it has no such tag."""

_FOOT_M, _INCH_M = 0.3048, 0.0254
_LONGEST = 24
_NOTHING = frozenset({"", "none", "null"})
_UNDERGROUND = frozenset({"underground", "indoor"})
_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_METRES = re.compile(rf"({_NUMBER})\s*(?:m|metres?|meters?)?\.?")
_FEET = re.compile(rf"({_NUMBER})\s*(?:'|ft|feet|foot)\s*(?:({_NUMBER})\s*(?:\"|''|in|inches)?)?")
_PRIMES = str.maketrans({"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{PRIME}": "'", "\N{DOUBLE PRIME}": '"'})
_LANES = re.compile(_NUMBER)

_BELIEVABLE_M = 100.0
"""Widths beyond are mistakes of units or of typing: the width table is used instead."""

_BELIEVABLE_LANES = 16.0


class Verdict(NamedTuple):
    """Judgement of one object's tags.

    Attributes:
        reason: Why it is left out; "" where it is drawn.
        width_m: Width of a road in metres; 0 for an area.
        certain: False where its surroundings become ``IGNORE`` instead of an object.
        area: True where the object's closed way is a surface.
        odd_width: True where a tag of width or lanes could not be read or believed.
    """

    reason: str = ""
    width_m: float = 0.0
    certain: bool = True
    area: bool = False
    odd_width: bool = False


class Rules(Protocol):
    """Rules of one task."""

    task: ClassVar[Task]
    keys: ClassVar[tuple[str, ...]]
    """Tags that are looked at; an object without the first one is none of the task."""

    def judge(self, values: Values) -> Verdict:
        """Return what becomes of an object."""


@dataclass(frozen=True, slots=True)
class RoadRules:
    """Rules for ways with the tag ``highway``.

    Attributes:
        widths_m: Width by class, metres; ``x_link`` has the width of ``x`` where it has none of its own. A
            class that is neither here, nor dropped, nor uncertain is left out as unknown and counted.
        dropped: Classes that are left out.
        uncertain: Classes of which nobody knows whether a road is to be seen.
        uncertain_m: Width of the band around these that becomes ``IGNORE``, metres.
        lane_m: Width of one lane, metres.
    """

    task: ClassVar[Task] = "roads"
    keys: ClassVar[tuple[str, ...]] = ("highway", "tunnel", "location", "area", "width", "lanes")

    widths_m: Mapping[str, float]
    dropped: frozenset[str]
    uncertain: frozenset[str]
    uncertain_m: float
    lane_m: float

    def judge(self, values: Values) -> Verdict:
        """Return what becomes of a way or an area.

        Precedence of the width: a believable ``width``, then ``lanes`` times ``lane_m``, then the table, and
        it is clipped to 2 to 30 m. Bridges are drawn like any road, tunnels and what is underground are not.
        """
        highway, tunnel, location, area, width, lanes = map(cleaned, values)
        if highway is None:
            return Verdict("no highway")
        kind = highway.split(";")[0].strip()
        if kind in self.dropped:
            return Verdict(f"dropped class {kind}")
        if tunnel not in (None, "no") or location in _UNDERGROUND:
            return Verdict("tunnel")
        if kind in self.uncertain:
            return Verdict(width_m=self.uncertain_m, certain=False, area=area == "yes")
        table = self.widths_m.get(kind, self.widths_m.get(kind.removesuffix("_link")))
        if table is None:
            return Verdict("unknown class")
        tagged, counted = metres(width), lane_count(lanes)
        odd = (width is not None and tagged is None) or (lanes is not None and counted is None)
        if tagged is None:
            tagged = table if counted is None else counted * self.lane_m
        clipped = min(max(tagged, LEAST_WIDTH_M), MOST_WIDTH_M)
        return Verdict(width_m=clipped, area=area == "yes", odd_width=odd)


@dataclass(frozen=True, slots=True)
class BuildingRules:
    """Rules for closed ways and multipolygon relations with the tag ``building``.

    Attributes:
        dropped: Values of the tag that are no building to be seen (``no``, ``ruins``, ...).
    """

    task: ClassVar[Task] = "buildings"
    keys: ClassVar[tuple[str, ...]] = ("building", "location")

    dropped: frozenset[str]

    def judge(self, values: Values) -> Verdict:
        """Return what becomes of a closed way or a multipolygon."""
        building, location = map(cleaned, values)
        if building is None:
            return Verdict("no building")
        if building in self.dropped:
            return Verdict(f"dropped value {building}")
        if location in _UNDERGROUND:
            return Verdict("underground")
        return Verdict(area=True)


def cleaned(value: str | None) -> str | None:
    """Return a tag's value in small letters; None for an empty one and for the text "None" of exports."""
    if value is None:
        return None
    text = value.strip().lower()
    return None if text in _NOTHING else text


def metres(width: str | None) -> float | None:
    """Return a width in metres as people write it: ``3``, ``3,5 m``, ``10'``, ``10 ft``, ``9'6"``.

    Returns:
        None where it cannot be read, is not positive, or is beyond 100 m.
    """
    if width is None or len(width) > _LONGEST:
        return None
    text = width.strip().lstrip("~").strip().translate(_PRIMES)
    if match := _METRES.fullmatch(text):
        found = _number(match[1])
    elif match := _FEET.fullmatch(text):
        found = _number(match[1]) * _FOOT_M + _number(match[2] or "0") * _INCH_M
    else:
        return None
    return found if 0.0 < found <= _BELIEVABLE_M else None


def lane_count(lanes: str | None) -> float | None:
    """Return the number of lanes, the first one of a list (``2;3``); None where it is none from 0.5 to 16."""
    if lanes is None or len(lanes) > _LONGEST:
        return None
    first = lanes.split(";")[0].strip()
    if not _LANES.fullmatch(first):
        return None
    found = _number(first)
    return found if 0.5 <= found <= _BELIEVABLE_LANES else None


def _number(text: str) -> float:
    return float(text.replace(",", "."))
