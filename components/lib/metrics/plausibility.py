"""Signs that two files of polygons do not mean the same tiles or the same units."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import shapely
from numpy.typing import NDArray

from components.lib.metrics.polygon_csv import PolygonTable

LARGEST_TILE_PX = 100_000
"""Pixels; coordinates beyond are metres of a map."""


def doubts_about(truth: PolygonTable, proposals: PolygonTable, min_area: float) -> list[str]:
    """Return a sentence for each sign that a score of the two would mean nothing.

    Args:
        truth: True footprints.
        proposals: Proposals.
        min_area: Least area that counts, square pixels.

    Returns:
        The sentences: no row, no shared tile, no polygon large enough, coordinates that cannot be pixels.
    """
    sides = (("truth", truth), ("proposals", proposals))
    doubts = [f"there is no row in the {side}" for side, table in sides if not len(table.tiles)]
    doubts += _unshared_tiles(truth, proposals)
    for side, table in sides:
        doubts += _impossible_pixels(side, table.geometry)
        doubts += _all_too_small(side, table.geometry, min_area)
    return doubts


def _unshared_tiles(truth: PolygonTable, proposals: PolygonTable) -> list[str]:
    true, proposed = set(truth.tiles), set(proposals.tiles)
    unknown = proposed - true
    if not true or not unknown:
        return []
    hint = _likely_slip(true, unknown)
    if unknown == proposed:
        return [
            f"the two files share no ImageId: the truth has {min(true)!r}, the proposals have "
            f"{min(proposed)!r}{hint}"
        ]
    return [
        f"{len(unknown)} of the {len(proposed)} tiles of the proposals are not in the truth, such as "
        f"{min(unknown)!r}: all that is proposed there counts as false{hint}"
    ]


def _likely_slip(true: set[str], unknown: set[str]) -> str:
    """Return in what spelling ids that the truth does not have would be among its own."""
    if {PurePath(tile).stem for tile in unknown} & {PurePath(tile).stem for tile in true}:
        return "; without their file endings they would be"
    if {tile.lower() for tile in unknown} & {tile.lower() for tile in true}:
        return "; in lower case they would be"
    return ""


def _impossible_pixels(side: str, geometry: NDArray[np.object_]) -> list[str]:
    bounds = shapely.bounds(geometry[~shapely.is_empty(geometry)])
    if not len(bounds):
        return []
    if np.abs(bounds).max() > LARGEST_TILE_PX:
        return [
            f"the {side} have coordinates up to {np.abs(bounds).max():,.0f}, which cannot be pixels of a "
            "tile: they look like metres of a map"
        ]
    beside = int((bounds[:, 2:] <= 0).any(axis=1).sum())
    if beside:
        return [
            f"{beside} of the {len(bounds)} polygons of the {side} have no positive x or no positive y, "
            "where no tile has a pixel: y counts downwards from the upper edge"
        ]
    sides = bounds[:, 2:] - bounds[:, :2]
    if (sides < 1).all() and (np.abs(bounds) <= (180, 90, 180, 90)).all():
        return [
            f"no polygon of the {side} is a pixel wide and all lie within 180 and 90: the coordinates cannot "
            "be pixels, they look like longitude and latitude"
        ]
    return []


def _all_too_small(side: str, geometry: NDArray[np.object_], min_area: float) -> list[str]:
    areas = shapely.area(geometry[~shapely.is_empty(geometry)])
    if not len(areas) or (areas >= min_area).any():
        return []
    return [
        f"every polygon of the {side} falls below the least area of {min_area:g} square pixels; the largest "
        f"has {areas.max():g}"
    ]
