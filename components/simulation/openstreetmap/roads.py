"""Roads of a simulated extract: streets deleted, shifted, offset and wobbling, and roads that are not there.

Order of the errors as in the adaptation reference, section 2.10.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from shapely.ops import substring

from components.simulation.frame import Double
from components.simulation.openstreetmap.noise import Noise, shifts
from components.simulation.streets import Street, StreetClass

STEP_M = 5.0
"""Distance of a way's vertices at most, metres."""
CORRELATION_M = 28.0
"""Length l of the wobble's correlation exp(-(d / l)^2), metres."""
EXTRA_M = (40.0, 170.0)
"""Length of a road that is not there, metres: the two that were measured have 82 and 167 m."""
DOUBLED_M = (6.0, 10.0)
"""Distance between a road and its second drawing, metres."""
_RIDGE = 0.05
"""Keeps a node between nearly parallel ways from being thrown far along them."""

Origin = Literal["street", "stale", "doubled"]
Node = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Road:
    """A road of the extract.

    Attributes:
        line: Centre line, EPSG:32631, metres.
        kind: Its class.
        origin: ``street``: one of the city's; ``stale``: gone; ``doubled``: drawn a second time.
    """

    line: shapely.LineString
    kind: StreetClass
    origin: Origin


def noisy_roads(streets: list[Street], noise: Noise, seed: int) -> list[Road]:
    """Draw the roads of an extract.

    Args:
        streets: The true streets, with unique names and shared vertices where they meet.
        noise: Errors of the extract.
        seed: Draws the extract; what befalls a street depends on its name, the seed and the streets it meets.

    Returns:
        What is left of the streets in their order, still joined where they met; then what is not there.
    """
    kept = [street for street in streets if _rng(street.name, seed, 0).random() >= noise.deleted[street.kind]]
    ways = [_Way(street, noise, seed) for street in kept]
    nodes = _moved_nodes(ways)
    roads = [Road(way.moved(nodes, noise, seed), way.street.kind, "street") for way in ways]
    return roads + list(_extras(roads, noise.extra, np.random.default_rng([seed, 94])))


class _Way:
    """A street with vertices close together, and how far each is to move sideways.

    Attributes:
        street: The street.
        places: Vertices, (n, 2), metres.
        normals: Unit normals there, (n, 2).
        lateral: Movement along these, (n,), metres.
    """

    def __init__(self, street: Street, noise: Noise, seed: int) -> None:
        self.street = street
        self.places: Double = shapely.get_coordinates(shapely.segmentize(street.line, STEP_M))
        along = np.gradient(self.places, axis=0)
        along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        self.normals = np.stack([-along[:, 1], along[:, 0]], axis=1)
        self.distance = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.places, axis=0).T))])
        rng = _rng(street.name, seed, 1)
        offset = noise.way_sd_m * rng.normal()
        self.lateral: Double = offset + noise.wobble_sd_m * _wobble(self.distance, rng)

    def nodes(self) -> Iterator[tuple[int, Node]]:
        """Yield the street's own vertices with their numbers among ``places``."""
        own = {(x, y) for x, y in self.street.line.coords}
        for number, (x, y) in enumerate(self.places.tolist()):
            if (x, y) in own:
                yield number, (x, y)

    def moved(self, nodes: dict[Node, Double], noise: Noise, seed: int) -> shapely.LineString:
        """Return the way where it is drawn: sideways, through its moved nodes, and shifted with its place."""
        sideways = self.normals * self.lateral[:, None]
        held = [(number, nodes[place]) for number, place in self.nodes() if place in nodes]
        if held:
            # What a node moves beyond the way's own movement there fades to the next node.
            at = [number for number, _ in held]
            beyond = np.array([movement for _, movement in held]) - sideways[at]
            sideways += np.stack(
                [np.interp(self.distance, self.distance[at], beyond[:, axis]) for axis in (0, 1)], axis=1
            )
        return shapely.LineString(self.places + sideways + shifts(self.places, noise, seed))


def _moved_nodes(ways: list[_Way]) -> dict[Node, Double]:
    """Return the one movement of each vertex that several ways share: the one that suits all of them best."""
    meeting: dict[Node, list[tuple[_Way, int]]] = defaultdict(list)
    for way in ways:
        for number, place in way.nodes():
            meeting[place].append((way, number))
    moved = {}
    for place, there in meeting.items():
        if len(there) > 1:
            normals = np.array([way.normals[number] for way, number in there])
            lateral = np.array([way.lateral[number] for way, number in there])
            moved[place] = np.linalg.solve(normals.T @ normals + _RIDGE * np.eye(2), normals.T @ lateral)
    return moved


def _wobble(distance: Double, rng: np.random.Generator) -> Double:
    """Draw a Gaussian process of unit variance at ``distance`` along a way, metres."""
    reach = int(3 * CORRELATION_M / STEP_M)
    # Smoothing white noise by the root of the correlation gives the correlation.
    kernel = np.exp(-2 * (np.arange(-reach, reach + 1) * STEP_M / CORRELATION_M) ** 2)
    steps = int(distance[-1] // STEP_M) + 2
    smooth = np.convolve(rng.normal(size=steps + 2 * reach), kernel / np.sqrt((kernel**2).sum()), "valid")
    return np.interp(distance, np.arange(steps) * STEP_M, smooth)


def _extras(roads: list[Road], share: float, rng: np.random.Generator) -> Iterator[Road]:
    """Yield roads that are not there: ``share`` of the length of all, half stale, half doubled."""
    total = sum(road.line.length for road in roads) * share / (1 - share)
    origins: tuple[Origin, ...] = ("stale", "doubled")
    for origin in origins:
        left = total / 2
        while roads and left > 1.0:
            road = roads[int(rng.integers(len(roads)))]
            length = min(left, float(rng.uniform(*EXTRA_M)))
            line = _stale(road.line, length, rng) if origin == "stale" else _doubled(road.line, length, rng)
            left -= line.length
            yield Road(line, road.kind, origin)


def _stale(line: shapely.LineString, length: float, rng: np.random.Generator) -> shapely.LineString:
    """Draw a straight road that leaves ``line`` at a right angle."""
    places = shapely.get_coordinates(line)
    number = int(rng.integers(len(places) - 1))
    along = places[number + 1] - places[number]
    normal = np.array([-along[1], along[0]]) / np.hypot(*along) * rng.choice([-1.0, 1.0])
    return shapely.LineString([places[number], places[number] + length * normal])


def _doubled(line: shapely.LineString, length: float, rng: np.random.Generator) -> shapely.LineString:
    """Draw a part of ``line`` a second time beside it."""
    start = float(rng.uniform(0, max(line.length - length, 0.0)))
    part = substring(line, start, min(start + length, line.length))
    away = float(rng.uniform(*DOUBLED_M) * rng.choice([-1.0, 1.0]))
    places = shapely.get_coordinates(part)
    along = np.gradient(places, axis=0)
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    return shapely.LineString(places + away * np.stack([-along[:, 1], along[:, 0]], axis=1))


def _rng(name: str, seed: int, salt: int) -> np.random.Generator:
    return np.random.default_rng([seed, 93, salt, zlib.crc32(name.encode())])
