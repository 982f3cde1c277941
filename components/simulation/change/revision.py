"""What happens to one district between the dates, a function of the city's seed and the shares alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from components.lib.change.terms import Kind
from components.simulation.change.clutter import move_clutter
from components.simulation.change.construction import buildable, extensions, new_buildings, re_roofed
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.patches import Patch
from components.simulation.city import City, Index
from components.simulation.objects import Material, Objects, Records, corners, footprints

SMALLEST_M2 = 20.0
"""Smallest building that changes and smallest change: what the release scores (docs/methods/spacenet6.md)."""
STOREY_M = 3.0
APART_M = 1.5
"""Distance between new walls and all other buildings of either date, at least."""
CLEARED_M = 1.0
"""Ground around a removed building that is laid anew with it."""
CLEARING_M = 3.0
"""Distance that woods keep from a new building."""
LEFT_BEHIND = {Material.SOIL: 0.4, Material.GRASS: 0.3, Material.ASPHALT: 0.3}
"""Ground where a building was: bare, grown over, or paved; with probabilities."""

AlterationKind = Literal["re-roofed", "raised"]


@dataclass(frozen=True, slots=True)
class Change:
    """A building that was added, removed or enlarged.

    Attributes:
        kind: Kind of change.
        outline: Ground that changed, EPSG:32631; of an enlarged building the new part.
    """

    kind: Kind
    outline: shapely.Polygon


@dataclass(frozen=True, slots=True)
class Alteration:
    """A building that looks different on the same footprint: no change of the map.

    Attributes:
        kind: Kind of work.
        outline: Footprint of the building, EPSG:32631.
    """

    kind: AlterationKind
    outline: shapely.Polygon


@dataclass(frozen=True, slots=True)
class Revision:
    """One district at the second date.

    Attributes:
        objects: Everything standing.
        changes: Buildings added, removed and enlarged.
        alterations: Buildings that look different.
        patches: Ground that differs.
    """

    objects: Objects
    changes: tuple[Change, ...]
    alterations: tuple[Alteration, ...]
    patches: tuple[Patch, ...]


def revise(city: City, index: Index, first: Objects, parameters: SimulatedPairsParameters) -> Revision:
    """Return a district at the second date.

    Buildings are drawn without replacement: removed, re-roofed, raised, enlarged (the next one if there is no
    room), in this order. New ones follow the rules of the district, on ground that is free at both dates.

    Args:
        city: The city, for the district's rules and ground.
        index: District.
        first: Everything standing there at the first date.
        parameters: Shares of buildings.
    """
    work = _Work(city, index, first, parameters)
    work.remove()
    work.renew()
    work.enlarge()
    work.add()
    return work.finished()


class _Work:
    """A district between the dates."""

    def __init__(
        self, city: City, index: Index, first: Objects, parameters: SimulatedPairsParameters
    ) -> None:
        self._city, self._index, self._first, self._parameters = city, index, first, parameters
        self._rng = np.random.default_rng([parameters.seed, 73, *index])
        self._boxes = first.boxes.copy()
        self._occupied = list(first.polygons)
        self._ground = buildable(city, index)
        self._changes: list[Change] = []
        self._alterations: list[Alteration] = []
        self._patches: list[Patch] = []
        large = np.flatnonzero(shapely.area(first.polygons) >= SMALLEST_M2)
        self._count = len(large)
        self._untouched: list[int] = self._rng.permutation(large).tolist()

    def remove(self) -> None:
        """Take buildings away and lay the ground anew."""
        for k in self._draw(self._parameters.removed):
            outline = self._first.polygons[k]
            self._changes.append(Change("removed", outline))
            left = Material(int(self._rng.choice(list(LEFT_BEHIND), p=list(LEFT_BEHIND.values()))))
            self._patches.append(Patch(outline.buffer(CLEARED_M, join_style="mitre"), left))
            self._boxes = self._boxes[self._boxes["building"] != k]

    def renew(self) -> None:
        """Give roofs other materials and buildings more storeys; both leave the footprints."""
        for k in self._draw(self._parameters.re_roofed):
            mine = self._boxes["building"] == k
            self._boxes[mine] = re_roofed(self._rng, self._boxes[mine])
            self._alterations.append(Alteration("re-roofed", self._first.polygons[k]))
        for k in self._draw(self._parameters.raised):
            mine = self._boxes["building"] == k
            self._boxes["eave"][mine] += STOREY_M * float(self._rng.integers(1, 3))
            self._alterations.append(Alteration("raised", self._first.polygons[k]))

    def enlarge(self) -> None:
        """Build extensions where there is room for them."""
        wanted = self._quota(self._parameters.enlarged)
        while wanted and self._untouched:
            k = self._untouched.pop()
            wanted -= self._extended(k)

    def add(self) -> None:
        """Build anew where the rules of the district could have put a building and none stands."""
        wanted = self._quota(self._parameters.added)
        if not wanted:
            return
        for boxes, outline in new_buildings(self._city, self._index, self._parameters.seed):
            if outline.area >= SMALLEST_M2 and self._is_free(outline):
                self._build(boxes, outline, len(self._occupied), "added")
                wanted -= 1
            if not wanted:
                return

    def finished(self) -> Revision:
        """Return the district with its trees, vehicles and containers at the second date."""
        shapes = np.asarray(shapely.polygons(corners(self._boxes)), dtype=object)
        polygons, heights = footprints(self._boxes, shapes)
        built = [c.outline for c in self._changes if c.kind in ("added", "enlarged")]
        clutter = self._boxes, self._first.trees, self._first.slots
        boxes, trees, slots = move_clutter(self._rng, clutter, polygons, built, self._ground)
        standing = Objects(boxes=boxes, trees=trees, slots=slots, polygons=polygons, heights=heights)
        return Revision(standing, tuple(self._changes), tuple(self._alterations), tuple(self._patches))

    def _extended(self, k: int) -> bool:
        """Extend building ``k`` at the first side with room; return whether there is one."""
        old = self._first.polygons[k]
        others = [p for n, p in enumerate(self._occupied) if n != k]
        for box in extensions(self._rng, self._boxes[self._boxes["building"] == k], SMALLEST_M2):
            whole = shapely.Polygon(corners(box)[0])
            new = whole.difference(old)
            if isinstance(new, shapely.Polygon) and new.area >= SMALLEST_M2 and self._is_free(new, others):
                self._build(box, new, k, "enlarged")
                return True
        return False

    def _build(self, boxes: Records, outline: shapely.Polygon, number: int, kind: Kind) -> None:
        boxes["building"] = number
        self._boxes = np.concatenate([self._boxes, boxes])
        self._occupied.append(outline)
        self._changes.append(Change(kind, outline))
        self._patches.append(Patch(outline.buffer(CLEARING_M), None))

    def _is_free(self, outline: shapely.Polygon, others: list[shapely.Polygon] | None = None) -> bool:
        """Return whether a new outline lies in the blocks, apart from all other buildings of either date."""
        near = self._occupied if others is None else others
        return bool(
            shapely.contains_properly(self._ground, outline)
            and not shapely.dwithin(near, outline, APART_M).any()
        )

    def _draw(self, share: float) -> list[int]:
        """Take ``share`` of all buildings out of those that nothing has happened to."""
        wanted = self._quota(share)
        taken, self._untouched = self._untouched[:wanted], self._untouched[wanted:]
        return taken

    def _quota(self, share: float) -> int:
        """Return ``share`` of the buildings, rounded up or down at random so that its mean is right."""
        return int(share * self._count + self._rng.random())
