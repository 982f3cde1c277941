"""Road graphs as GeoJSON: a LineString for each edge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from components.lib.files import atomic_file
from components.lib.geo.crs import LON_LAT, move
from components.lib.roads.tracing.trace import TracedRoads
from components.lib.roads.writing.attributes import decimals_of, numbers_of


def write_geojson(path: Path, roads: TracedRoads, *, lon_lat: bool = True) -> None:
    """Write a feature collection; the same graph gives the same bytes.

    Properties of a feature are the numbers of its nodes, ``from`` and ``to``, and the attributes of
    :data:`components.lib.roads.writing.attributes.NUMBERS`.

    Args:
        path: File to write.
        roads: The graph.
        lon_lat: True for longitude and latitude, as RFC 7946 wants it; False for the raster's own CRS, stated
            in a ``crs`` member.

    Raises:
        BadDataError: If PROJ cannot transform a coordinate.
        ResourceError: If the disk is full.
    """
    crs = LON_LAT if lon_lat else roads.crs
    stated = "" if crs == LON_LAT else f'"crs": {json.dumps(_member(crs))},\n'
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection",\n' + stated + '"features": [\n')
        file.write(",\n".join(json.dumps(feature, allow_nan=False) for feature in _features(roads, crs)))
        file.write("\n]}\n")


def _member(crs: str) -> dict[str, Any]:
    name = crs.replace("EPSG:", "urn:ogc:def:crs:EPSG::") if crs.startswith("EPSG:") else crs
    return {"type": "name", "properties": {"name": name}}


def _features(roads: TracedRoads, crs: str) -> Iterator[dict[str, Any]]:
    xy, owner = shapely.get_coordinates(roads.on_map(), return_index=True)
    if len(xy) and crs != roads.crs:
        xy = move(xy, roads.crs, crs, "the graph")
    rounded = np.round(xy, decimals_of(crs))
    first = np.searchsorted(owner, np.arange(len(roads) + 1)).tolist()
    numbers = {name: values.tolist() for name, values in numbers_of(roads).items()}
    for edge, (start, end) in enumerate(roads.graph.ends.tolist()):
        yield {
            "type": "Feature",
            "properties": {
                "from": start,
                "to": end,
                **{name: values[edge] for name, values in numbers.items()},
            },
            "geometry": {
                "type": "LineString",
                "coordinates": rounded[first[edge] : first[edge + 1]].tolist(),
            },
        }
