"""Objects that stand on the ground of a city, and the builder that districts collect them with.

Buildings are one or more upright boxes with a roof; a builder collects them in a district's own (u, v) frame
and turns them into world coordinates at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from components.simulation.frame import Double

Records = npt.NDArray[np.void]


class Roof(IntEnum):
    """Roof forms; ridges run along the long axis."""

    FLAT = 0
    GABLE = 1
    HIP = 2
    SAWTOOTH = 3


class Material(IntEnum):
    """Material of a surface: index into the tables of both sensors."""

    GRASS = 0
    ASPHALT = 1
    PAVING = 2
    GRAVEL = 3
    WATER = 4
    SOIL = 5
    GARDEN = 6
    RAIL = 7
    TILES = 8
    BITUMEN = 9
    PEBBLE_ROOF = 10
    METAL = 11
    GREEN_ROOF = 12
    BOX = 13
    TREE = 14


BOXES = np.dtype(
    [
        ("x", "f8"),
        ("y", "f8"),
        ("angle", "f8"),
        ("a", "f4"),
        ("b", "f4"),
        ("eave", "f4"),
        ("rise", "f4"),
        ("roof", "u1"),
        ("material", "u1"),
        ("tone", "f4"),
        ("building", "i4"),
    ]
)
"""Boxes: centre (m), angle of the long axis (radians), half length and half width (m), eave height and roof
rise (m), roof form, material, brightness draw in 0..1, building number in its district (-1: no building)."""

TREES = np.dtype([("x", "f8"), ("y", "f8"), ("radius", "f4"), ("height", "f4")])
_NOTHING = np.empty(0, dtype=object)
SLOTS = np.dtype([("x", "f8"), ("y", "f8"), ("angle", "f4"), ("a", "f4"), ("b", "f4"), ("height", "f4")])
"""Places where a vehicle may stand: centre, heading, half length, half width, height of the vehicle (m)."""


@dataclass(frozen=True, slots=True)
class Objects:
    """Everything that stands on the ground of one place.

    Attributes:
        boxes: Records of ``BOXES``; ``building`` indexes ``polygons``.
        trees: Records of ``TREES``.
        slots: Records of ``SLOTS``.
        polygons: Footprints, EPSG:32631, one per building.
        heights: Mean, median and standard deviation of each building's height (m), shape (n, 3).
    """

    boxes: Records
    trees: Records
    slots: Records
    polygons: npt.NDArray[np.object_]
    heights: Double


Part = tuple[float, ...]
"""A box in a builder's frame: the fields of ``BOXES`` but the building number."""


def part(
    u: float,
    v: float,
    size: tuple[float, float],
    eave: float,
    material: Material,
    *,
    tone: float = 0.5,
    roof: Roof = Roof.FLAT,
    rise: float = 0.0,
    angle: float = 0.0,
) -> Part:
    """Make a box at (u, v) of half length and half width ``size``, by default flat-roofed and along u."""
    return (u, v, angle, *size, eave, rise, roof, material, tone)


class ObjectBuilder:
    """Collects objects in a local frame."""

    def __init__(self) -> None:
        self.boxes: list[tuple[float, ...]] = []
        self.trees: list[tuple[float, float, float, float]] = []
        self.slots: list[tuple[float, float, float, float, float, float]] = []
        self.buildings = 0

    def building(self, *parts: Part) -> None:
        """Add a building."""
        self.boxes += [(*shape, self.buildings) for shape in parts]
        self.buildings += 1

    def box(self, shape: Part) -> None:
        """Add an object that is no building (container, barge): hard for every method."""
        self.boxes.append((*shape, -1))

    def tree(self, u: float, v: float, radius: float, height: float) -> None:
        """Add a tree."""
        self.trees.append((u, v, radius, height))

    def slot(self, u: float, v: float, angle: float, *, truck: bool = False) -> None:
        """Add a place for a car or a truck."""
        self.slots.append((u, v, angle, *((5.5, 1.25, 3.6) if truck else (2.2, 0.9, 1.5))))

    def place(self, x: float, y: float, angle: float, region: BaseGeometry) -> Objects:
        """Move the objects to (x, y), turn them, and keep what lies inside ``region`` (a shapely geometry).

        A building with a part outside is dropped whole: districts end in roads, not in cut houses.
        """
        boxes = _records(self.boxes, BOXES)
        trees = _records(self.trees, TREES)
        slots = _records(self.slots, SLOTS)
        for records in (boxes, trees, slots):
            u, v = records["x"].copy(), records["y"].copy()
            records["x"] = x + u * np.cos(angle) - v * np.sin(angle)
            records["y"] = y + u * np.sin(angle) + v * np.cos(angle)
        boxes["angle"] += angle
        slots["angle"] += angle
        shapely.prepare(region)
        shapes = np.asarray(shapely.polygons(corners(boxes)), dtype=object) if len(boxes) else _NOTHING
        inside = np.asarray(shapely.contains_properly(region, shapes), dtype=bool)
        broken = np.union1d(boxes["building"][~inside], _overlapping(boxes["building"], shapes))
        keep = inside & ~(np.isin(boxes["building"], broken) & (boxes["building"] >= 0))
        boxes, shapes = boxes[keep], shapes[keep]
        polygons, heights = footprints(boxes, shapes)
        return Objects(
            boxes=boxes,
            trees=trees[shapely.contains_xy(region, trees["x"], trees["y"])],
            slots=slots[shapely.contains_xy(region, slots["x"], slots["y"])],
            polygons=polygons,
            heights=heights,
        )


def corners(boxes: Records) -> Double:
    """Corners of boxes, counter-clockwise, shape (n, 4, 2)."""
    cos, sin = np.cos(boxes["angle"])[:, None], np.sin(boxes["angle"])[:, None]
    u = boxes["a"][:, None] * np.array([-1.0, 1.0, 1.0, -1.0])
    v = boxes["b"][:, None] * np.array([-1.0, -1.0, 1.0, 1.0])
    x = boxes["x"][:, None] + u * cos - v * sin
    y = boxes["y"][:, None] + u * sin + v * cos
    return np.stack([x, y], axis=-1)


def _records(rows: Sequence[tuple[float, ...]], dtype: np.dtype[np.void]) -> Records:
    return np.array(rows, dtype=dtype) if rows else np.empty(0, dtype=dtype)


def _overlapping(numbers: npt.NDArray[np.int32], shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.int32]:
    """Buildings that lie on another one drawn before them."""
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    later: npt.NDArray[np.int32] = numbers[second[(numbers[first] >= 0) & (numbers[first] < numbers[second])]]
    return later


def footprints(boxes: Records, shapes: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.object_], Double]:
    """Footprints and height statistics of the buildings; renumbers ``boxes`` in place to match."""
    numbers = np.unique(boxes["building"][boxes["building"] >= 0])
    polygons = np.empty(len(numbers), dtype=object)
    heights = np.zeros((len(numbers), 3))
    old = boxes["building"].copy()
    for new, number in enumerate(numbers):
        parts = np.flatnonzero(old == number)
        boxes["building"][parts] = new
        whole = shapes[parts[0]] if len(parts) == 1 else shapely.union_all(shapes[parts])
        polygons[new] = whole
        top = boxes["eave"][parts] + 0.5 * boxes["rise"][parts]
        weight = boxes["a"][parts] * boxes["b"][parts]
        mean = float(np.average(top, weights=weight))
        # A pitched roof's heights spread evenly over its rise: standard deviation rise / sqrt(12).
        spread = np.average(boxes["rise"][parts] ** 2 / 12 + (top - mean) ** 2, weights=weight)
        heights[new] = mean, float(np.median(top)), float(np.sqrt(spread))
    return polygons, heights
