"""Trees, places of vehicles and containers at the second date: none of their changes is one of the map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from components.simulation.frame import Mask
from components.simulation.objects import Records, corners

FELLED = 0.06
"""Share of the trees that are gone; as many others are planted near trees that stand."""
PLANTED_M = (3.0, 9.0)
"""Distance of a planted tree from the one that it resembles."""
MOVED = 0.6
"""Share of the boxes that are no buildings (containers, barges, fences) that stand elsewhere."""
MOVED_M = (3.0, 12.0)
"""Distance to which they move."""

Clutter = tuple[Records, Records, Records]
"""Records of ``BOXES``, ``TREES`` and ``SLOTS``."""


def move_clutter(
    rng: np.random.Generator,
    clutter: Clutter,
    standing: npt.NDArray[np.object_],
    built: list[shapely.Polygon],
    ground: BaseGeometry,
) -> Clutter:
    """Return what stands beside the buildings at the second date.

    Args:
        rng: Source of the draws.
        clutter: Boxes (those of buildings stay as they are), trees and places for vehicles.
        standing: Footprints at the second date, EPSG:32631: nothing moves onto them.
        built: Ground built on since the first date: nothing stays on it.
        ground: Ground of the blocks: boxes that would leave it are gone.
    """
    boxes, trees, slots = clutter
    sites = shapely.union_all(built).buffer(1.0) if built else shapely.Polygon()
    trees = trees[(rng.random(len(trees)) >= FELLED) & ~_on(sites, trees)]
    planted = trees[rng.random(len(trees)) < FELLED].copy()
    _move(rng, planted, PLANTED_M)
    roofs = shapely.union_all(standing).buffer(1.0)
    planted = planted[~_on(roofs, planted)]
    boxes = _move_boxes(rng, boxes, sites, ground.difference(roofs))
    return boxes, np.concatenate([trees, planted]), slots[~_on(sites, slots)]


def _move_boxes(rng: np.random.Generator, boxes: Records, sites: BaseGeometry, free: BaseGeometry) -> Records:
    """Move some of the boxes that are no buildings; those without room at their new place are gone."""
    loose = boxes["building"] < 0
    stays = ~loose | (rng.random(len(boxes)) >= MOVED)
    moved = boxes[~stays].copy()
    _move(rng, moved, MOVED_M)
    moved = moved[_inside(free, moved)]
    stays[loose & stays] = ~_meet(sites, boxes[loose & stays])
    return np.concatenate([boxes[stays], moved])


def _move(rng: np.random.Generator, records: Records, by_m: tuple[float, float]) -> None:
    """Move records in place, each by a distance out of ``by_m`` in a direction of its own."""
    distance, angle = rng.uniform(*by_m, size=len(records)), rng.uniform(0, 2 * np.pi, size=len(records))
    records["x"] += distance * np.cos(angle)
    records["y"] += distance * np.sin(angle)


def _on(area: BaseGeometry, records: Records) -> Mask:
    """Return which records have their middle on ``area``."""
    result: Mask = shapely.contains_xy(area, records["x"], records["y"])
    return result


def _inside(area: BaseGeometry, boxes: Records) -> Mask:
    result: Mask = np.asarray(shapely.contains(area, shapely.polygons(corners(boxes))), dtype=bool)
    return result


def _meet(area: BaseGeometry, boxes: Records) -> Mask:
    result: Mask = np.asarray(shapely.intersects(area, shapely.polygons(corners(boxes))), dtype=bool)
    return result
