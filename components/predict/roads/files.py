"""Files of a road graph, by their endings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from components.contract.errors import ParameterError
from components.lib.disk import nearest_existing, require_writable
from components.lib.roads.tracing.trace import TracedRoads
from components.lib.roads.writing.attributes import NUMBERS, numbers_of
from components.lib.roads.writing.geojson import write_geojson
from components.lib.roads.writing.graphml import write_graphml
from components.lib.roads.writing.wkt_csv import write_csv
from components.predict.outputs.geoparquet import ROWS, GeoParquetWriter

ENDINGS: Final = (".geojson", ".json", ".parquet", ".graphml", ".csv")

_COLUMNS: Final = (
    pa.field("from_node", pa.int64(), nullable=False),
    pa.field("to_node", pa.int64(), nullable=False),
    *(pa.field(name, pa.float64(), nullable=False) for name in NUMBERS),
)


def check_outputs(paths: Sequence[Path]) -> None:
    """Check, before the work, that all endings are known, no file is named twice and all can be put there.

    Raises:
        ParameterError: If one is not, or is, or cannot.
    """
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise ParameterError(
                f"{path} ends in none of {', '.join(ENDINGS)}",
                next_step="name a file with one of these endings",
            )
        check_place(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise ParameterError("one file is named twice in --out", next_step="name each file once")


def check_place(path: Path) -> None:
    """Check that a file can be put in a place: several files are written, and none if one cannot be.

    Raises:
        ParameterError: If it is a folder, or lies below something else than a folder.
        ResourceError: If the folder cannot be written.
    """
    if path.is_dir():
        raise ParameterError(f"{path} is a folder", next_step="name a file")
    if not (above := nearest_existing(path.parent)).is_dir():
        raise ParameterError(f"{path} cannot be written: {above} is no folder", next_step="name another file")
    require_writable(path.parent)


def write_roads(paths: Sequence[Path], roads: TracedRoads, *, image_id: str, lon_lat: bool) -> None:
    """Write a graph as the files named; each appears whole or not at all.

    Args:
        paths: Files, by whose endings the formats are taken.
        roads: The graph.
        image_id: Id in a CSV.
        lon_lat: True for longitude and latitude in GeoJSON, False for the raster's CRS.

    Raises:
        ParameterError: If an ending is unknown.
        ResourceError: If the disk is full.
    """
    check_outputs(paths)
    for path in paths:
        match path.suffix.lower():
            case ".parquet":
                write_geoparquet(path, roads)
            case ".graphml":
                write_graphml(path, roads)
            case ".csv":
                write_csv(path, {image_id: roads})
            case _:
                write_geojson(path, roads, lon_lat=lon_lat)


def write_geoparquet(
    path: Path,
    roads: TracedRoads,
    *,
    texts: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a row for each edge in the raster's CRS, with the numbers of its nodes.

    Args:
        path: File to write.
        roads: The graph.
        texts: Columns of one text in all rows, by name.
        tags: Facts for the file's metadata.

    Raises:
        ResourceError: If the disk is full.
    """
    texts = texts or {}
    shapes, ends = roads.on_map(), roads.graph.ends.astype(np.int64)
    columns = {"from_node": ends[:, 0], "to_node": ends[:, 1], **numbers_of(roads)}
    fields = (*_COLUMNS, *(pa.field(name, pa.string(), nullable=False) for name in texts))
    with GeoParquetWriter(path, roads.crs, fields, tags) as writer:
        for start in range(0, len(roads), ROWS):
            part = slice(start, start + ROWS)
            same = {name: [text] * len(shapes[part]) for name, text in texts.items()}
            writer.write(shapes[part], {name: values[part] for name, values in columns.items()} | same)
