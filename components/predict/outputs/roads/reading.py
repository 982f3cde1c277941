"""Published roads read back in batches, as numbers for item and page."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
import shapely

from components.lib.geo.crs import LON_LAT
from components.lib.roads.writing.attributes import NUMBERS
from components.predict.outputs.reading import batches, crs_of

LONGEST: Final = 50


@dataclass(frozen=True, slots=True, order=True)
class Road:
    """One road between two nodes, for a list.

    Attributes:
        length_m: Length, metres.
        id: Its name in all files.
        width_m: Mean width, metres.
        speed_kmh: Speed inferred from the width, km/h.
        travel_s: Time to pass it, seconds.
        lon: Longitude of its middle, degrees.
        lat: Latitude of its middle, degrees.
    """

    length_m: float
    id: str
    width_m: float
    speed_kmh: float
    travel_s: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class RoadSummary:
    """Numbers of a map's roads.

    Attributes:
        roads: Number of all, each between two nodes.
        nodes: Junctions and ends.
        length_m: Length of all, metres.
        by_speed: Inferred speed, km/h, and length of all such roads, metres, in ascending order.
        longest: The up to 50 longest, longest first.
    """

    roads: int
    nodes: int
    length_m: float
    by_speed: tuple[tuple[float, float], ...]
    longest: tuple[Road, ...]

    @property
    def properties(self) -> dict[str, Any]:
        """Return what the map's STAC item states of them."""
        return {
            "stormsight:task": "roads",
            "stormsight:roads": self.roads,
            "stormsight:road_nodes": self.nodes,
            "stormsight:road_km": round(self.length_m / 1000, 3),
        }


def summarise_roads(parquet: Path) -> RoadSummary:
    """Count the roads of a file, and find the longest."""
    to_lon_lat = pyproj.Transformer.from_crs(crs_of(parquet), LON_LAT, always_xy=True)
    roads, length, nodes = 0, 0.0, 0
    by_speed: defaultdict[float, float] = defaultdict(float)
    longest: list[Road] = []
    for batch in batches(parquet, ["id", "geometry", "from_node", "to_node", *NUMBERS]):
        roads += len(batch["id"])
        length += float(batch["length_m"].sum())
        # Nodes are numbered from 0, and each is the end of a road.
        nodes = max(nodes, 1 + int(max(batch["from_node"].max(), batch["to_node"].max())))
        for speed in np.unique(batch["speed_kmh"]).tolist():
            by_speed[speed] += float(batch["length_m"][batch["speed_kmh"] == speed].sum())
        chosen = np.argsort(-batch["length_m"], kind="stable")[:LONGEST]
        middle = shapely.line_interpolate_point(
            shapely.from_wkb(batch["geometry"][chosen]), 0.5, normalized=True
        )
        lon, lat = to_lon_lat.transform(shapely.get_x(middle), shapely.get_y(middle))
        found = (
            Road(
                id=str(batch["id"][i]),
                lon=round(float(x), 7),
                lat=round(float(y), 7),
                **{name: float(batch[name][i]) for name in NUMBERS},
            )
            for i, x, y in zip(chosen, lon, lat, strict=True)
        )
        longest = heapq.nlargest(LONGEST, [*longest, *found])
    return RoadSummary(roads, nodes, length, tuple(sorted(by_speed.items())), tuple(longest))
