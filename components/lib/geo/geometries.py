"""Geometries of foreign GeoJSON, and the repair of invalid ones.

Positions of two, three or four numbers may be mixed in one ring (RFC 7946 ignores what follows the second);
shapely's own reader refuses such rings, and follows any depth of nesting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from components.lib.geo.wkt import MAX_COORDINATE

_MAX_COLLECTIONS = 8
"""Collections within collections that are followed."""

_MAX_INVALID_CORNERS = 2_000
_MAX_CROSSINGS = 100
"""Bounds of what is repaired: the time of ``make_valid`` grows with the square of the crossings (12 s for a
ring of 200 random corners). Bow-ties of real labels have one or two."""

_OTHER_TYPES = ("point", "multipoint", "linestring", "multilinestring")


def geojson_geometry(feature: Any) -> BaseGeometry | None:  # noqa: ANN401 - whatever a stranger's JSON holds
    """Return the two-dimensional geometry of a GeoJSON feature.

    Returns:
        An empty polygon for a null or empty geometry; None where there is nothing that can be read as
        polygons.
    """
    try:
        return _polygons(feature["geometry"], 0)
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None


def repair(geometry: BaseGeometry | None) -> tuple[list[shapely.Polygon], bool]:
    """Return the polygons in ``geometry``, made valid.

    Args:
        geometry: Anything shapely holds, or None.

    Returns:
        Valid polygons with an area above 0, two-dimensional, and whether a repair was needed. A bow-tie
        becomes its two lobes (``make_valid``; ``buffer(0)`` would lose one of them). Nothing is left of a
        geometry with a coordinate that is not finite or beyond 1e9, or that crosses itself too often.
    """
    if geometry is None or geometry.is_empty:
        return [], False
    flat = shapely.force_2d(geometry)
    if not (np.abs(shapely.get_coordinates(flat)) <= MAX_COORDINATE).all():
        return [], False
    needed = not flat.is_valid
    if needed and _is_tangled(flat):
        return [], False
    parts = _flattened(shapely.make_valid(flat) if needed else flat)
    return [part for part in parts if isinstance(part, shapely.Polygon) and part.area > 0.0], needed


def _flattened(geometry: BaseGeometry) -> NDArray[np.object_]:
    parts: NDArray[np.object_] = shapely.get_parts(geometry)
    while any(part.geom_type in ("MultiPolygon", "GeometryCollection") for part in parts):
        parts = shapely.get_parts(parts)
    return parts


def _is_tangled(geometry: BaseGeometry) -> bool:
    if shapely.get_num_coordinates(geometry) > _MAX_INVALID_CORNERS:
        return True
    rings = shapely.get_rings(_flattened(geometry))
    sides = [shapely.LineString(pair) for ring in rings for pair in pairwise(ring.coords)]
    meetings = shapely.STRtree(sides).query(sides, predicate="intersects").shape[1]
    # Each side meets itself and its two neighbours; every crossing is found from both of its sides.
    return int(meetings - 3 * len(sides)) // 2 > _MAX_CROSSINGS


def _polygons(geometry: Any, depth: int) -> BaseGeometry | None:  # noqa: ANN401
    if geometry is None:
        return shapely.Polygon()
    kind = str(geometry["type"]).lower()
    if kind == "geometrycollection":
        if depth == _MAX_COLLECTIONS:
            return None
        members = [_polygons(member, depth + 1) for member in geometry["geometries"]]
        return None if None in members else shapely.GeometryCollection(members)
    coordinates = _listed(geometry["coordinates"])
    if kind == "polygon":
        return _polygon(coordinates)
    if kind == "multipolygon":
        return shapely.MultiPolygon([_polygon(rings) for rings in coordinates])
    return shapely.Polygon() if kind in _OTHER_TYPES and not coordinates else None


def _polygon(rings: Any) -> shapely.Polygon:  # noqa: ANN401
    outlines = [ring for ring in map(_ring, _listed(rings)) if ring]
    return shapely.Polygon(outlines[0], outlines[1:]) if outlines else shapely.Polygon()


def _ring(positions: Any) -> list[tuple[float, float]]:  # noqa: ANN401
    return [(_number(position[0]), _number(position[1])) for position in map(_listed, _listed(positions))]


def _number(value: Any) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no coordinate")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no coordinate")
    return number


def _listed(value: Any) -> Sequence[Any]:  # noqa: ANN401
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value
