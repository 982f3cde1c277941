"""Files of a simulated extract: GeoJSON in degrees, with OpenStreetMap's tags as columns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from components.contract.errors import BadDataError
from components.contract.hashing import sha256_file
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.datasets.sensors import get_sensor
from components.lib.files import write_text
from components.lib.geo.crs import LON_LAT, move
from components.lib.store.store import Store
from components.simulation.city import City
from components.simulation.frame import Bounds
from components.simulation.openstreetmap.buildings import noisy_buildings
from components.simulation.openstreetmap.noise import PRESETS
from components.simulation.openstreetmap.roads import noisy_roads
from components.simulation.streets import streets_in

DATE = "2019-08-01"
"""Date that a simulated extract states: the days before the first flight."""
MARGIN_M = 100.0
"""Ground around the boxes that is drawn too, metres: more than any object moves."""


@dataclass(frozen=True, slots=True)
class SimulatedExtract:
    """A written extract.

    Attributes:
        path: The file.
        sha256: Hash of its content.
        source: What it is, for ``osm.extract.source``.
        coverage: West, south, east, north in degrees: the box of all boxes. Between them nothing is drawn.
        counts: Number of objects by origin: ``street``, ``stale``, ``doubled``, ``building``,
            ``stale building``; and of the true ones: ``true street``, ``true building``.
    """

    path: Path
    sha256: str
    source: str
    coverage: Bounds
    counts: dict[str, int]

    def declaration(self) -> dict[str, Any]:
        """Return the value of ``osm.extract`` that names this file."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "source": self.source,
            "date": DATE,
            "coverage": list(self.coverage),
        }


def boxes_of(store: Store) -> list[Bounds]:
    """Return the box around each sensor's tiles, EPSG:32631, metres.

    Raises:
        BadDataError: If a sensor is not of the simulated city.
    """
    boxes = []
    for name, tiles in store.index.groupby("sensor"):
        sensor = get_sensor(str(name))
        if not sensor.simulated:
            raise BadDataError(
                f"{store.folder} has tiles of {sensor.name}, which is no sensor of the simulated city",
                next_step="use a store of the rehearsal world",
            )
        left, top, gsd = tiles["x_left_m"], tiles["y_top_m"], tiles["gsd_m"]
        right, bottom = left + tiles["width"] * gsd, top - tiles["height"] * gsd
        boxes.append((float(left.min()), float(bottom.min()), float(right.max()), float(top.max())))
    return boxes


def write_extract(
    path: Path, city: City, boxes: Sequence[Bounds], preset: str, seed: int
) -> SimulatedExtract:
    """Draw roads and buildings of a city as OpenStreetMap might have them: the same input, the same bytes.

    Roads have the tag ``highway``, buildings ``building``, and neither has any other: widths are for the
    reader's table.

    Args:
        path: GeoJSON file to write.
        city: The city.
        boxes: Ground to draw, EPSG:32631, metres; at least one.
        preset: One of ``PRESETS``.
        seed: Draws the errors.

    Raises:
        ResourceError: If the file cannot be written.
    """
    noise = PRESETS[preset]
    grown = [(w - MARGIN_M, s - MARGIN_M, e + MARGIN_M, n + MARGIN_M) for w, s, e, n in boxes]
    streets = list({street.name: street for box in grown for street in streets_in(city, box)}.values())
    standing = {shapely.to_wkb(p): p for box in grown for p in city.objects_in(box).polygons}
    polygons = np.array(list(standing.values()), dtype=object)
    surfaces = np.array([street.line.buffer(street.width_m / 2) for street in streets], dtype=object)
    roads = noisy_roads(streets, noise, seed)
    buildings = noisy_buildings(polygons, surfaces, noise, seed)
    features = [_feature(road.line, {"highway": str(road.kind)}) for road in roads]
    features += [_feature(building.outline, {"building": "yes"}) for building in buildings]
    counts = Counter[str]({"true street": len(streets), "true building": len(polygons)})
    counts.update(road.origin for road in roads)
    counts.update("stale building" if building.stale else "building" for building in buildings)
    source = f"simulated city {city.seed}, errors {preset} of seed {seed}"
    document = {"type": "FeatureCollection", "simulated": source, "features": features}
    write_text(path, json.dumps(document, separators=(",", ":")) + "\n")
    return SimulatedExtract(path, sha256_file(path), source, _in_degrees(boxes), dict(counts))


def _feature(geometry: shapely.LineString | shapely.Polygon, tags: dict[str, str]) -> dict[str, Any]:
    moved = shapely.transform(geometry, lambda xy: move(xy, SIMULATED_AIRBORNE.crs, LON_LAT, "the city"))
    # Nine digits: a tenth of a millimetre.
    shape = json.loads(shapely.to_geojson(shapely.set_precision(moved, 1e-9, mode="pointwise")))
    return {"type": "Feature", "properties": {"highway": None, "building": None, **tags}, "geometry": shape}


def _in_degrees(boxes: Sequence[Bounds]) -> Bounds:
    """Return the box in degrees that lies around all boxes, to the millimetre."""
    places = shapely.get_coordinates(shapely.segmentize(shapely.box(*_around(boxes)), 500.0))
    degrees = move(places, SIMULATED_AIRBORNE.crs, LON_LAT, "the boxes")
    west, south = np.floor(degrees.min(axis=0) * 1e8) / 1e8
    east, north = np.ceil(degrees.max(axis=0) * 1e8) / 1e8
    return (float(west), float(south), float(east), float(north))


def _around(boxes: Sequence[Bounds]) -> Bounds:
    corners = np.array(boxes)
    return (*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist())
