"""The city: districts around jittered sites, roads and canals between them, a river; drawn lazily, anywhere.

A district is the Voronoi cell of its site; it has a kind, a street grid and an orientation of its own. Any
part of the city depends only on the seed, so processes can draw their own part and agree where they meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from components.simulation.districts import KINDS, Block, Kind
from components.simulation.frame import Bounds, Double, Mask
from components.simulation.objects import BOXES, SLOTS, TREES, ObjectBuilder, Objects, Records

SPACING_M = 300.0
"""Distance of the districts' sites before they are jittered, metres."""
REACH_M = 340.0
"""No part of a district lies farther from its site."""
OUTSKIRTS_Y_M = 5754000.0
"""Northing from which on the districts are those of the outskirts."""
RIVER_X_M = 593050.0
RIVER_HALF_M = 65.0

Index = tuple[int, int]


@dataclass(frozen=True, slots=True)
class District:
    """One district.

    Attributes:
        x: Easting of the site.
        y: Northing of the site.
        kind: Kind of district.
        angle: Turn of its street grid, radians.
        pitch_u: Distance of its cross streets, metres.
        pitch_v: Distance of its streets, metres.
    """

    x: float
    y: float
    kind: Kind
    angle: float
    pitch_u: float
    pitch_v: float


@dataclass(frozen=True, slots=True)
class Border:
    """Road or canal between two districts: half its width, metres, and whether it is water."""

    half: float
    water: bool


class City:
    """The city of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = np.random.default_rng([seed, 11])
        # Amplitude (m), wave length (m) and phase of the river's two meanders.
        self._bends = rng.uniform((25, 700, 0), (60, 1600, 2 * np.pi), size=(2, 3)).tolist()
        self._districts: dict[Index, District] = {}
        self._objects: dict[Index, Objects] = {}

    def district(self, index: Index) -> District:
        """Return the district whose site was drawn in cell ``index`` of the site grid."""
        if index not in self._districts:
            rng = np.random.default_rng([self.seed, 12, *index])
            outside = index[1] * SPACING_M >= OUTSKIRTS_Y_M
            kind = KINDS[int(rng.choice(len(KINDS), p=[k.outskirts if outside else k.weight for k in KINDS]))]
            x, y = (SPACING_M * (i + 0.5 + rng.uniform(-0.32, 0.32)) for i in index)
            self._districts[index] = District(
                x=x,
                y=y,
                kind=kind,
                angle=float(rng.uniform(0, np.pi / 2)),
                pitch_u=float(rng.uniform(*kind.pitch_u)),
                pitch_v=float(rng.uniform(*kind.pitch_v)),
            )
        return self._districts[index]

    def border(self, first: Index, second: Index) -> Border:
        """Return the road or canal between two neighbouring districts; the order does not matter."""
        low, high = sorted((first, second))
        rng = np.random.default_rng([self.seed, 13, *low, *high])
        if rng.random() < 0.22:
            return Border(half=float(rng.uniform(5, 12)), water=True)
        return Border(half=float(rng.choice([5.0, 6.5, 9.0])), water=False)

    def river(self, y: Double) -> Double:
        """Return the easting of the river's middle at northings ``y``; it runs through the west."""
        x = np.full_like(y, RIVER_X_M)
        for amplitude, length, phase in self._bends:
            x += amplitude * np.sin(2 * np.pi * y / length + phase)
        return x

    def sites_near(self, bounds: Bounds) -> list[Index]:
        """Return all districts that can own a point of ``bounds`` or border on one that does."""
        west, south, east, north = bounds
        reach = 1  # a site lies within its own grid cell, so the owner is in the 3 x 3 around a point
        columns = range(int(west // SPACING_M) - reach - 1, int(east // SPACING_M) + reach + 2)
        rows = range(int(south // SPACING_M) - reach - 1, int(north // SPACING_M) + reach + 2)
        return [(i, j) for i in columns for j in rows]

    def districts_reaching(self, bounds: Bounds) -> list[Index]:
        """Return all districts that may have something standing in ``bounds``."""
        west, south, east, north = bounds
        found = []
        for index in self.sites_near(bounds):
            site = self.district(index)
            away = np.hypot(site.x - np.clip(site.x, west, east), site.y - np.clip(site.y, south, north))
            if away <= REACH_M:
                found.append(index)
        return found

    def objects(self, index: Index) -> Objects:
        """Return everything standing in a district."""
        if index not in self._objects:
            self._objects[index] = self._build(index)
        return self._objects[index]

    def objects_in(self, bounds: Bounds) -> Objects:
        """Return the objects that meet ``bounds``, of all districts; buildings renumbered."""
        parts = []
        offset = 0
        for index in self.districts_reaching(bounds):
            found = self.objects(index)
            boxes = found.boxes.copy()
            boxes["building"][boxes["building"] >= 0] += offset
            offset += len(found.polygons)
            parts.append((boxes, found))
        boxes = _join([p[0] for p in parts], BOXES)
        reach = np.hypot(boxes["a"], boxes["b"])
        trees, slots = _join([p[1].trees for p in parts], TREES), _join([p[1].slots for p in parts], SLOTS)
        boxes = boxes[_within(boxes["x"], boxes["y"], bounds, reach)]
        polygons = np.concatenate([p[1].polygons for p in parts] or [np.empty(0, dtype=object)])
        heights = np.concatenate([p[1].heights for p in parts] or [np.empty((0, 3))])
        # Renumber to the buildings that are left; -1 (no building) stays.
        numbers, renumbered = np.unique(boxes["building"], return_inverse=True)
        boxes["building"] = renumbered - np.count_nonzero(numbers < 0)
        numbers = numbers[numbers >= 0]
        return Objects(
            boxes=boxes,
            trees=trees[_within(trees["x"], trees["y"], bounds, 6.0)],
            slots=slots[_within(slots["x"], slots["y"], bounds, 6.0)],
            polygons=polygons[numbers],
            heights=heights[numbers],
        )

    def _build(self, index: Index) -> Objects:
        site = self.district(index)
        rng = np.random.default_rng([self.seed, 14, *index])
        builder, region = ObjectBuilder(), self.region(index)
        for block in self.blocks(site, region):
            site.kind.fill(rng, builder, block)
        local = builder.place(site.x, site.y, site.angle, region)
        return _with_border(local, self._border_objects(index, rng))

    def blocks(self, site: District, region: BaseGeometry) -> list[Block]:
        """Return the blocks between a district's streets that meet its region, in its own frame."""
        kerb = site.kind.street / 2 + 2.0
        k = np.arange(-(REACH_M // site.pitch_u) - 1, REACH_M // site.pitch_u + 1)
        m = np.arange(-(REACH_M // site.pitch_v) - 1, REACH_M // site.pitch_v + 1)
        u, v = (grid.ravel() for grid in np.meshgrid(k * site.pitch_u + kerb, m * site.pitch_v + kerb))
        blocks = np.stack([u, v, u + site.pitch_u - 2 * kerb, v + site.pitch_v - 2 * kerb], axis=1)
        outline = np.stack(
            [blocks[:, [0, 1]], blocks[:, [2, 1]], blocks[:, [2, 3]], blocks[:, [0, 3]]], axis=1
        )
        cos, sin = np.cos(site.angle), np.sin(site.angle)
        turned = outline @ np.array([[cos, sin], [-sin, cos]]) + [site.x, site.y]
        meets = shapely.intersects(region, shapely.polygons(turned))
        return [tuple(block) for block in blocks[meets].tolist()]

    def region(self, index: Index) -> BaseGeometry:
        """Return the district's cell less half of the roads around it and the river."""
        site = self.district(index)
        cell: BaseGeometry = shapely.Point(site.x, site.y).buffer(REACH_M - 5.0)
        for other in neighbours(index):
            side = self.border(index, other)
            cell = cell.intersection(_half_plane(site, self.district(other), side.half + 2.5))
        # The river runs through the west only; districts far from it need no cut.
        if abs(site.x - RIVER_X_M) < 700:
            y = np.arange(site.y - 520, site.y + 540, 20.0)
            line = shapely.LineString(np.stack([self.river(y), y], axis=1))
            cell = cell.difference(line.buffer(RIVER_HALF_M + 9.0))
        return cell

    def _border_objects(self, index: Index, rng: np.random.Generator) -> Objects:
        """Place avenue trees and moving traffic along the borders that this district owns."""
        site = self.district(index)
        builder = ObjectBuilder()
        for other in neighbours(index):
            if other < index:
                continue
            far = self.district(other)
            side = self.border(index, other)
            angle = float(np.arctan2(far.y - site.y, far.x - site.x)) + np.pi / 2
            mid = np.array([(site.x + far.x) / 2, (site.y + far.y) / 2])
            along, across = (
                np.array([np.cos(angle), np.sin(angle)]),
                np.array([-np.sin(angle), np.cos(angle)]),
            )
            points = mid + np.arange(-240, 240, 9.0)[:, None] * along
            for p in points[self._on_border(points, index, other)]:
                for sign in (-1.0, 1.0):
                    if rng.random() < (0.75 if side.water else 0.4):
                        x, y = p + sign * (side.half + 1.2) * across
                        builder.tree(x, y, float(rng.uniform(1.8, 4.2)), float(rng.uniform(6, 13)))
                    if not side.water and rng.random() < 0.35:
                        x, y = p + sign * side.half * 0.45 * across
                        builder.slot(x, y, angle, truck=bool(rng.random() < 0.08))
        return builder.place(0.0, 0.0, 0.0, shapely.Point(site.x, site.y).buffer(REACH_M - 5.0))

    def _on_border(self, points: Double, first: Index, second: Index) -> Mask:
        """Return which points of two sites' bisector lie on their border, off its ends and the river."""
        others = {*neighbours(first), *neighbours(second)} - {first, second}
        sites = np.array([(s.x, s.y) for s in map(self.district, sorted(others))])
        site = np.array([self.district(first).x, self.district(first).y])
        own = np.hypot(*(points - site).T)
        nearest = np.hypot(*(points[:, None] - sites).transpose(2, 0, 1)).min(axis=1)
        dry = np.abs(points[:, 0] - self.river(points[:, 1])) > RIVER_HALF_M + 8
        return cast("Mask", (nearest - own > 12) & dry)


@lru_cache(maxsize=2)
def city_of(seed: int) -> City:
    """Return the city of a seed, shared within a process."""
    return City(seed)


def neighbours(index: Index) -> list[Index]:
    """Return the 24 cells of the site grid around ``index``: a district touches no other ones."""
    i, j = index
    return [(i + a, j + b) for a in (-2, -1, 0, 1, 2) for b in (-2, -1, 0, 1, 2) if (a, b) != (0, 0)]


def _half_plane(site: District, other: District, margin: float) -> BaseGeometry:
    """Return ``site``'s side of two sites' bisector, less ``margin`` metres, as a polygon."""
    dx, dy = other.x - site.x, other.y - site.y
    length = float(np.hypot(dx, dy))
    nx, ny = dx / length, dy / length
    far = 1500.0
    ex, ey = site.x + nx * (length / 2 - margin), site.y + ny * (length / 2 - margin)
    return shapely.Polygon(
        [
            (ex - ny * far, ey + nx * far),
            (ex - ny * far - nx * far, ey + nx * far - ny * far),
            (ex + ny * far - nx * far, ey - nx * far - ny * far),
            (ex + ny * far, ey - nx * far),
        ]
    )


def _with_border(local: Objects, extra: Objects) -> Objects:
    return Objects(
        boxes=local.boxes,
        trees=np.concatenate([local.trees, extra.trees]),
        slots=np.concatenate([local.slots, extra.slots]),
        polygons=local.polygons,
        heights=local.heights,
    )


def _join(parts: list[Records], dtype: np.dtype[np.void]) -> Records:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def _within(x: Double, y: Double, bounds: Bounds, margin: float | Double) -> Mask:
    west, south, east, north = bounds
    inside: Mask = (x > west - margin) & (x < east + margin) & (y > south - margin) & (y < north + margin)
    return inside
