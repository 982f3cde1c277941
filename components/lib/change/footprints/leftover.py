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
class Overlaps:
    """Pairs of buildings that lie within the tolerance of each other, (P,) each.

    Attributes:
        before: Number of the building of the first map.
        after: Number of the building of the second map.
        before_shared: Area of the first one within the tolerance of the second, square metres.
        after_shared: Area of the second one within the tolerance of the first, square metres.
    """

    before: Index
    after: Index
    before_shared: Floats
    after_shared: Floats


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


def buffered(polygons: Geometries, distance_m: float) -> Geometries:
    """Return the ground within a distance of each polygon, corners square."""
    # A mitre is cut off at twice the distance, so that sharp corners do not become spikes.
    return shapely.buffer(polygons, distance_m, join_style="mitre", mitre_limit=2.0)


def find_overlaps(before: Geometries, after: Geometries, around: tuple[Geometries, Geometries]) -> Overlaps:
    """Find the pairs of buildings within the tolerance of each other.

    Args:
        before: (N,) polygons of the first map.
        after: (M,) polygons of the second map, in the same CRS.
        around: Both :func:`buffered` by the tolerance.
    """
    second, first = shapely.STRtree(around[0]).query(after, predicate="intersects")
    return Overlaps(
        first,
        second,
        shapely.area(shapely.intersection(before[first], around[1][second])),
        shapely.area(shapely.intersection(after[second], around[0][first])),
    )


def left_over(
    own: Geometries,
    others: Geometries,
    pairs: tuple[Index, Index],
    shared: tuple[Floats, Floats],
    rules: FootprintRules,
) -> LeftOver:
    """Return the buildings of one map with ground that the other does not explain.

    A building whose ground is explained to less than ``covered_share`` is new (or gone) as a whole, unless it
    has taken in a building of the other map, which is mostly on its ground. Of one that was there already the
    unexplained parts count if they make ``enlarged_share`` of what stayed. So one building that is drawn as
    two, or two that are drawn as one, are no change.

    Args:
        own: (N,) polygons of the map.
        others: (M,) polygons of the other map, :func:`buffered` by the tolerance.
        pairs: Numbers in ``own`` and in ``others`` of buildings near each other, (P,) each.
        shared: Of each pair, area of the own building within the tolerance of the other one, and share of the
            other one within the tolerance of the own, (P,) each.
        rules: Thresholds.
    """
    mine, theirs = pairs
    area = shapely.area(own)
    best = np.zeros(len(own))
    np.maximum.at(best, mine, shared[0])
    heir = np.zeros(len(own), dtype=bool)
    heir[mine[shared[1] >= rules.covered_share]] = True

    building = np.flatnonzero(area - best >= rules.min_area_m2)
    rest = shapely.difference(own[building], _united(others, mine, theirs, building))
    rest_area = shapely.area(rest)
    whole = (rest_area > (1.0 - rules.covered_share) * area[building]) & ~heir[building]
    parts = _wide_parts(rest, rules)
    least = np.maximum(rules.min_area_m2, rules.enlarged_share * (area[building] - rest_area))
    kept = whole | (shapely.area(parts) >= least)
    ground = np.where(whole, own[building], parts)
    return LeftOver(building[kept], ground[kept], whole[kept])


def _united(others: Geometries, mine: Index, theirs: Index, wanted: Index) -> Geometries:
    """Return for each wanted building the union of its partners, (K,); an empty polygon without any."""
    order = np.argsort(mine, kind="stable")
    starts = np.searchsorted(mine[order], wanted, side="left")
    ends = np.searchsorted(mine[order], wanted, side="right")
    united = np.full(len(wanted), shapely.Polygon(), dtype=object)
    for k in np.flatnonzero(ends > starts).tolist():
        partners = others[theirs[order[starts[k] : ends[k]]]]
        united[k] = partners[0] if len(partners) == 1 else shapely.union_all(partners)
    return united


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
