"""Ground of buildings of one map that no building of the other map explains.

Two maps of an unchanged building differ: by the registration of the images, by layover, which moves each
building by its height and the direction of the look, and by noise at outlines. No single shift of a map
undoes that, and searching one is itself misled by real change. So the tolerance is local: each building of
the other map explains all ground within ``tolerance_m`` of it (a buffer with square corners, so that a shift
by the tolerance in both x and y is explained too), and of what is left, strips narrower than the tolerance
are dropped (a morphological opening). The price: an annexe narrower than twice the tolerance is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.change.footprints.rules import FootprintRules

Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Pairs of buildings of two maps that may lie within the tolerance of each other, (P,) each.

    Attributes:
        own: Number of the building of the one map.
        other: Number of the building of the other map.
        shared: Area that both cover, square metres.
    """

    own: Index
    other: Index
    shared: Floats

    def exchanged(self) -> Neighbours:
        """Return the same pairs seen from the other map."""
        return Neighbours(self.other, self.own, self.shared)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Buildings of one map with ground that the other map does not explain, (K,) each.

    Attributes:
        building: Number of the building in its map.
        ground: Changed ground: the whole building, or the parts of it that are new or gone.
        whole: True if the building as such is new or gone; False if it was there already, or a part stayed.
    """

    building: Index
    ground: Geometries
    whole: Mask


def find_neighbours(own: Geometries, others: Geometries, tolerance_m: float) -> Neighbours:
    """Find the pairs of buildings whose boxes lie within the tolerance of each other.

    Args:
        own: (N,) polygons of the one map.
        others: (M,) polygons of the other map, in the same CRS.
        tolerance_m: Tolerance, metres.
    """
    bounds = shapely.bounds(own) + np.array([-1, -1, 1, 1]) * tolerance_m
    mine, theirs = shapely.STRtree(others).query(shapely.box(*bounds.T))
    return Neighbours(mine, theirs, shapely.area(shapely.intersection(own[mine], others[theirs])))


def left_over(own: Geometries, others: Geometries, near: Neighbours, rules: FootprintRules) -> LeftOver:
    """Return the buildings of one map with ground that the other does not explain.

    A building whose ground is explained to less than ``covered_share`` is new (or gone) as a whole, unless it
    has taken in a building of the other map, which is mostly on its ground. Of one that was there already the
    unexplained parts count if they make ``enlarged_share`` of what stayed. So one building that is drawn as
    two, or two that are drawn as one, are no change.

    Args:
        own: (N,) polygons of the map.
        others: (M,) polygons of the other map.
        near: Pairs of both.
        rules: Thresholds.
    """
    area, best = shapely.area(own), np.zeros(len(own))
    np.maximum.at(best, near.own, near.shared)
    # Most buildings are explained by one other, as they lie: only the rest needs buffers, which take long.
    open_ = area - best >= rules.min_area_m2
    building, pairs = np.flatnonzero(open_), np.flatnonzero(open_[near.own])
    mine, theirs = near.own[pairs], near.other[pairs]

    rest = shapely.difference(own[building], _explained(others, mine, theirs, building, rules.tolerance_m))
    rest_area = shapely.area(rest)
    heir = np.zeros(len(own), dtype=bool)
    heir[mine[_taken_in(own, others, mine, theirs, rules)]] = True
    whole = (rest_area > (1.0 - rules.covered_share) * area[building]) & ~heir[building]
    parts = _wide_parts(rest, rules)
    least = np.maximum(rules.min_area_m2, rules.enlarged_share * (area[building] - rest_area))
    kept = (whole & (rest_area >= rules.min_area_m2)) | (shapely.area(parts) >= least)
    ground = np.where(whole, own[building], parts)
    return LeftOver(building[kept], ground[kept], whole[kept])


def buffered(polygons: Geometries, distance_m: float) -> Geometries:
    """Return the ground within a distance of each polygon, corners square."""
    # A mitre is cut off at twice the distance, so that sharp corners do not become spikes.
    return shapely.buffer(polygons, distance_m, join_style="mitre", mitre_limit=2.0)


def _taken_in(own: Geometries, others: Geometries, mine: Index, theirs: Index, rules: FootprintRules) -> Mask:
    """Return of each pair whether the other building lies mostly within the tolerance of the own one."""
    numbers, place = np.unique(mine, return_inverse=True)
    around = buffered(own[numbers], rules.tolerance_m)[place]
    shared = shapely.area(shapely.intersection(others[theirs], around))
    taken: Mask = shared >= rules.covered_share * shapely.area(others[theirs])
    return taken


def _explained(
    others: Geometries, mine: Index, theirs: Index, wanted: Index, distance_m: float
) -> Geometries:
    """Return for each wanted building the ground within a distance of its partners, (K,)."""
    numbers, place = np.unique(theirs, return_inverse=True)
    around = buffered(others[numbers], distance_m)[place]
    order = np.argsort(mine, kind="stable")
    starts = np.searchsorted(mine[order], wanted, side="left")
    ends = np.searchsorted(mine[order], wanted, side="right")
    found = np.full(len(wanted), shapely.Polygon(), dtype=object)
    for k in np.flatnonzero(ends > starts).tolist():
        partners = around[order[starts[k] : ends[k]]]
        found[k] = partners[0] if len(partners) == 1 else shapely.union_all(partners)
    return found


def _wide_parts(rest: Geometries, rules: FootprintRules) -> Geometries:
    """Return of each geometry the parts that are wider than the tolerance and large enough, (K,)."""
    radius = rules.tolerance_m / 2
    opened = buffered(buffered(rest, -radius), radius) if radius else rest
    inside = shapely.intersection(opened, rest)  # a mitre may reach over the edge
    parts, source = shapely.get_parts(inside, return_index=True)
    large = (shapely.area(parts) >= rules.min_area_m2) & (shapely.get_type_id(parts) == _POLYGON)
    parts, source = parts[large], source[large]
    found = np.full(len(rest), shapely.Polygon(), dtype=object)
    for number, start, count in zip(*np.unique(source, return_index=True, return_counts=True), strict=True):
        own = parts[start : start + count]
        found[number] = own[0] if count == 1 else shapely.MultiPolygon(list(own))
    return found


_POLYGON = int(shapely.GeometryType.POLYGON)
