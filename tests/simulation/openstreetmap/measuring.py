"""Measures of an extract against true streets, by the rules of the adaptation reference, section 2.10."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from components.simulation.frame import Double
from components.simulation.openstreetmap.roads import Road
from components.simulation.streets import Street, StreetClass

STEP_M, REACH_M, PARALLEL_DEG = 4.0, 15.0, 20.0
VEGAS_MIX = {
    StreetClass.PRIMARY: 0.25,
    StreetClass.SECONDARY: 0.06,
    StreetClass.RESIDENTIAL: 0.44,
    StreetClass.SERVICE: 0.25,
}
"""Length by class of the seven tiles that were measured."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of the roads of one extract; shares of length, metres.

    Attributes:
        missing: Share of the truth farther than 8 m from the extract, its classes weighted as in Las Vegas.
        excess: Share of the extract farther than 8 m from the truth.
        offset: Median distance of the truth to the nearest parallel road of the extract.
        offset_90: Its quantile of 90 %.
    """

    missing: float
    excess: float
    offset: float
    offset_90: float


def measured(streets: list[Street], roads: list[Road]) -> Errors:
    """Return the errors of ``roads`` against ``streets``."""
    truth, extract = [street.line for street in streets], [road.line for road in roads]
    places, along, owner = _samples(truth)
    kinds = np.array([str(streets[k].kind) for k in owner])
    far = _distances(places, extract) > 8
    weights = {kind: VEGAS_MIX[kind] for kind in StreetClass if (kinds == kind).any()}
    missing = sum(weight * far[kinds == kind].mean() for kind, weight in weights.items()) / sum(
        weights.values()
    )
    lateral = _lateral(places, along, extract)
    return Errors(
        missing=float(missing),
        excess=float((_distances(_samples(extract)[0], truth) > 8).mean()),
        offset=float(np.median(lateral)),
        offset_90=float(np.quantile(lateral, 0.9)),
    )


def _samples(lines: list[shapely.LineString]) -> tuple[Double, Double, list[int]]:
    """Places along lines, the direction there, and the line's number."""
    places, along, owner = [], [], []
    for number, line in enumerate(lines):
        at = np.arange(STEP_M / 2, line.length, STEP_M)
        ahead, behind = (
            shapely.get_coordinates(shapely.line_interpolate_point(line, np.maximum(at + step, 0.0)))
            for step in (0.1, -0.1)
        )
        places.append((ahead + behind) / 2)
        along.append((ahead - behind) / np.hypot(*(ahead - behind).T)[:, None])
        owner += [number] * len(at)
    return np.concatenate(places), np.concatenate(along), owner


def _distances(places: Double, lines: list[shapely.LineString]) -> Double:
    points = np.asarray(shapely.points(places))
    return np.asarray(
        shapely.STRtree(lines).query_nearest(points, return_distance=True, all_matches=False)[1]
    )


def _lateral(places: Double, along: Double, lines: list[shapely.LineString]) -> Double:
    """Distance of each place to the nearest segment that is parallel within 20 degrees, if within 15 m."""
    pairs = np.concatenate(
        [np.stack([c[:-1], c[1:]], axis=1) for c in (shapely.get_coordinates(line) for line in lines)]
    )
    pairs = pairs[np.hypot(*(pairs[:, 1] - pairs[:, 0]).T) > 0]
    segments = np.asarray(shapely.linestrings(pairs))
    direction = pairs[:, 1] - pairs[:, 0]
    direction /= np.hypot(*direction.T)[:, None]
    points = np.asarray(shapely.points(places))
    place, segment = shapely.STRtree(segments).query(points, predicate="dwithin", distance=REACH_M)
    parallel = np.abs((along[place] * direction[segment]).sum(axis=1)) >= np.cos(np.radians(PARALLEL_DEG))
    place, segment = place[parallel], segment[parallel]
    nearest = np.full(len(places), np.inf)
    np.minimum.at(nearest, place, shapely.distance(points[place], segments[segment]))
    return np.asarray(nearest[np.isfinite(nearest)], dtype=np.float64)
