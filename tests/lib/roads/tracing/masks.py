"""Masks of known roads, drawn in metres."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from components.lib.geo.geoarray import PixelTransform
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.rules import TracingRules
from components.lib.roads.tracing.trace import TracedRoads, trace_roads

UTM = "EPSG:32631"
GSD_M = 0.5

Pixels = npt.NDArray[np.bool_]


def empty(height: int = 200, width: int = 200) -> Pixels:
    return np.zeros((height, width), dtype=bool)


def cross() -> Pixels:
    """Two roads of 9 px, 160 px long, that cross in the middle of (100, 100)."""
    road = empty()
    road[96:105, 20:180] = road[20:180, 96:105] = True
    return road


def tee() -> Pixels:
    """A road from border to border and one that ends in it from above."""
    road = empty()
    road[96:105, :] = road[:100, 96:105] = True
    return road


def ring() -> Pixels:
    """A ring of 9 px around (100, 100), its middle line at a radius of 60 px."""
    y, x = np.mgrid[:200, :200] + 0.5
    distance = np.hypot(y - 100, x - 100)
    return np.asarray((distance > 55.5) & (distance < 64.5))


def gap(px: int) -> Pixels:
    """A road of 9 px from border to border, cut by so many pixels at column 100."""
    road = empty()
    road[96:105] = True
    road[:, 100 : 100 + px] = False
    return road


def mask_of(road: Pixels, *, gsd_m: tuple[float, float] = (GSD_M, GSD_M), crs: str = UTM) -> RoadMask:
    transform = PixelTransform(gsd_m[0], 0.0, 500_000.0, 0.0, -gsd_m[1], 4_000_000.0)
    return RoadMask(road=road, transform=transform, crs=crs)


def traced(road: Pixels, rules: TracingRules | None = None) -> TracedRoads:
    return trace_roads(mask_of(road), rules)


def degrees(roads: TracedRoads) -> list[int]:
    """Numbers of edges at the nodes, ascending."""
    return sorted(np.bincount(roads.graph.ends.ravel(), minlength=len(roads.graph.nodes)).tolist())


def in_degrees(road: Pixels, lat: float = 36.24) -> RoadMask:
    """The same pixels as a raster in longitude and latitude, each about half a metre along both axes."""
    step = GSD_M / 111_320.0
    transform = PixelTransform(step / math.cos(math.radians(lat)), 0.0, -115.17, 0.0, -step, lat)
    return RoadMask(road=road, transform=transform, crs="EPSG:4326")
