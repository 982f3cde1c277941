"""Files of roads: GeoJSON in map coordinates, and CSV in pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.foreign import judged
from components.lib.roads.graph.drawn import RoadFile
from components.lib.roads.graph.geojson import read_geojson
from components.lib.roads.graph.wkt_csv import read_csv

LARGEST_BYTES: Final = 1 << 30

_OF_MAPS: Final = frozenset({".parquet", ".graphml", ".gpkg", ".pmtiles"})
"""Endings of road graphs in a published map."""


def read_roads(path: Path) -> RoadFile:
    """Read a file of roads.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If the file is no CSV or GeoJSON as a whole; a bad row or feature is told by its road.
        ParameterError: If its name ends in something else.
    """
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".geojson", ".json"}:
        step = "name a .csv or .geojson file"
        if suffix in _OF_MAPS:
            step += "; of a map, `python -m components.predict roads --mask probability.tif` writes one"
        raise ParameterError(f"{path} is neither CSV nor GeoJSON", next_step=step)
    if not path.is_file():
        problem = "is no regular file" if path.exists() else "is missing"
        raise MissingInputError(f"{path} {problem}", next_step="give the path of a file of roads")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadDataError(f"{path} is larger than 1 GiB", next_step="cut it into parts")
        content = path.read_bytes()
    except OSError as error:
        raise MissingInputError(
            f"{path} cannot be read: {error.strerror}", next_step="check its permissions"
        ) from error
    with judged(str(path)):
        return read_csv(content, path) if suffix == ".csv" else read_geojson(content, path)
