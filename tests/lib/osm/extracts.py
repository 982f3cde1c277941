"""Tiny extracts written at test time, and tiles on their ground near Rotterdam (EPSG:32631)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import shapely
from osmium.osm.mutable import Node, Relation, Way

from components.contract.hashing import sha256_file
from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.grid import Grid
from components.lib.osm.extract import Extract
from components.lib.osm.features import Found
from components.lib.osm.ground import Ground
from components.lib.osm.masks import Canvas, Drawing
from components.lib.osm.tags import BuildingRules, RoadRules, Rules

CRS = "EPSG:32631"
WEST, NORTH, SIDE = 592_000.0, 5_750_000.0, 64
GRID = Grid(x_left_m=WEST, y_top_m=NORTH, gsd_m=0.5, height=SIDE, width=SIDE)
"""One tile of 32 m."""

ROADS = RoadRules(
    widths_m={"residential": 4.0, "primary": 6.0, "track": 2.0},
    dropped=frozenset({"footway", "stopline"}),
    uncertain=frozenset({"road"}),
    uncertain_m=8.0,
    lane_m=4.0,
)
BUILDINGS = BuildingRules(frozenset({"no", "ruins"}))

Points = Sequence[tuple[float, float]]
Tags = Mapping[str, str]


def degrees(points: Points, crs: str = CRS) -> list[tuple[float, float]]:
    """Longitudes and latitudes of points in metres east and south of the tile's north-west corner."""
    xy = np.array([(WEST + x, NORTH - y) for x, y in points])
    return [(float(lon), float(lat)) for lon, lat in move(xy, crs, LON_LAT, "points")]


class Pbf:
    """A PBF file in the making; nodes are numbered from 1, ways from 1, relations from 1."""

    def __init__(self) -> None:
        self._nodes: list[tuple[float, float]] = []
        self._ways: list[tuple[list[int], Tags]] = []
        self._relations: list[tuple[list[tuple[str, int, str]], Tags]] = []

    def way(self, points: Points, tags: Tags, *, closed: bool = False, missing: Sequence[int] = ()) -> int:
        """Add a way through points in metres of the tile; nodes at ``missing`` are not in the file."""
        return self.way_in_degrees(degrees(points), tags, closed=closed, missing=missing)

    def way_in_degrees(
        self, points: Points, tags: Tags, *, closed: bool = False, missing: Sequence[int] = ()
    ) -> int:
        first = len(self._nodes) + 1
        self._nodes += points
        numbers = [first + i + (1_000_000 if i in missing else 0) for i in range(len(points))]
        self._ways.append(([*numbers, numbers[0]] if closed else numbers, tags))
        return len(self._ways)

    def relation(self, members: Sequence[tuple[int, str]], tags: Tags) -> None:
        self._relations.append(([("w", way, role) for way, role in members], tags))

    def write(
        self, path: Path, box: tuple[float, float, float, float] | None = (3.0, 51.0, 6.0, 53.0)
    ) -> Path:
        header = osmium.io.Header()
        header.set("osmosis_replication_timestamp", "2019-08-01T00:00:00Z")
        if box is not None:
            header.add_box(osmium.osm.Box(*box))
        with osmium.SimpleWriter(str(path), header=header, overwrite=True) as writer:
            for number, place in enumerate(self._nodes, 1):
                writer.add_node(Node(id=number, version=1, location=place))
            for number, (nodes, tags) in enumerate(self._ways, 1):
                writer.add_way(Way(id=number, version=1, nodes=nodes, tags=dict(tags)))
            for number, (members, tags) in enumerate(self._relations, 1):
                writer.add_relation(Relation(id=number, version=1, members=members, tags=dict(tags)))
        return path


def geojson(path: Path, features: Sequence[tuple[Any, Mapping[str, Any]]], crs: str | None = None) -> Path:
    """Write geometries (shapely, or None) with their properties."""
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": dict(properties),
                "geometry": None if geometry is None else json.loads(shapely.to_geojson(geometry)),
            }
            for geometry, properties in features
        ],
    }
    if crs:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(document))
    return path


def extract_of(path: Path, **declared: Any) -> Extract:
    given = {
        "sha256": sha256_file(path) if path.is_file() else "0" * 64,
        "source": "made by a test",
        "date": dt.date(2019, 8, 1),
        **declared,
    }
    return Extract(path=path, **given)


def ground(crs: str = CRS, grid: Grid = GRID) -> Ground:
    east, south = grid.transform @ (grid.width, grid.height)
    return Ground(np.array([[grid.x_left_m, south, east, grid.y_top_m]]), crs)


def read(path: Path, rules: Rules = ROADS, **declared: Any) -> Found:
    return extract_of(path, **declared).read(rules, ground())


def draw(path: Path, rules: Rules = ROADS, *, nodata: Any = None, **declared: Any) -> tuple[Drawing, Found]:
    """Draw the one tile of an extract."""
    extract = extract_of(path, **declared)
    extract.verify()
    place = ground()
    found = extract.read(rules, place)
    canvas = Canvas(found, extract.covered(found), place, path.name, min_area_m2=20.0)
    empty = np.zeros((SIDE, SIDE), dtype=bool)
    return canvas.draw(0, GRID, empty if nodata is None else nodata), found
