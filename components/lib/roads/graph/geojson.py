"""GeoJSON files of roads, in map coordinates."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from components.contract.errors import BadDataError
from components.lib.foreign import one_line, read_json_text
from components.lib.geo.crs import stated_crs
from components.lib.roads.graph.drawn import Road, RoadFile, vertices

STOP_LINE: Final = "stopline"
"""Value of ``highway`` of lines across the road at which traffic waits; they are no roads."""


def read_geojson(content: bytes, path: Path) -> RoadFile:
    """Read a feature collection.

    Features that draw no road on purpose are left out and counted: stop lines, points (which mark nodes in
    some files), features without geometry. What else is wrong with a feature is told by its road.

    Raises:
        BadDataError: If it is no GeoJSON feature collection, or states an unknown CRS.
    """
    name = str(path)
    if not content.strip():  # how some releases say that a tile holds nothing
        return RoadFile(path, {"": []}, pixels=False)
    document = read_json_text(content, name)
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise BadDataError(f"{name} is not a GeoJSON feature collection", next_step="write it as one")
    roads, left_out = list[Road](), Counter[str]()
    for number, feature in enumerate(document["features"], 1):
        found = _feature(feature, f"feature {number}")
        if isinstance(found, str):
            left_out[found] += 1
        else:
            roads.append(found)
    return RoadFile(path, {"": roads}, pixels=False, crs=stated_crs(document, name), left_out=left_out)


def _feature(feature: Any, place: str) -> Road | str:  # noqa: ANN401 - whatever a stranger's JSON holds
    """Return the road of a feature, or what it is if it is none."""
    if not isinstance(feature, dict):
        return Road(place, problem="no GeoJSON feature")
    properties = feature.get("properties")
    if isinstance(properties, dict) and STOP_LINE in (properties.get("highway"), properties.get("type")):
        return "stop_lines"
    geometry = feature.get("geometry")
    if geometry is None or geometry == "None":
        return "without_geometry"
    if not isinstance(geometry, dict) or not isinstance(geometry.get("type"), str):
        return Road(place, problem="no GeoJSON geometry")
    found = _geometry(geometry["type"], geometry.get("coordinates"), place)
    if isinstance(found, str) or not isinstance(properties, dict):
        return found
    return replace(found, properties=properties)


def _geometry(kind: str, coordinates: Any, place: str) -> Road | str:  # noqa: ANN401 - the same
    if kind in {"Point", "MultiPoint"}:
        return "points"
    if kind not in {"LineString", "MultiLineString"}:
        return Road(place, problem=f"a {one_line(kind)[:40]}, no line")
    if not isinstance(coordinates, list):
        return Road(place, problem="a line without coordinates")
    if not coordinates:
        return "without_geometry"
    lines = coordinates if kind == "MultiLineString" else [coordinates]
    try:
        return Road(place, tuple(vertices(line, numbers=True) for line in lines))
    except ValueError as error:
        return Road(place, problem=str(error))
