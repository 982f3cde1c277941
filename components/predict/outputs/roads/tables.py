"""Road graph of a map as vector tiles and as a GeoPackage, from its GeoParquet file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from components.lib.roads.writing.attributes import NUMBERS
from components.predict.outputs import facts as names
from components.predict.outputs.geopackage import write_geopackage
from components.predict.outputs.tiles import TileLayer, write_pmtiles

LAYER: Final = TileLayer("roads", "Roads between junctions", numbers=tuple((name, 1) for name in NUMBERS))

_COLUMNS: Final = ("id", "geometry", "from_node", "to_node", *NUMBERS, "scene", "model", "model_version")


def write_road_tiles(folder: Path) -> None:
    """Write ``roads.pmtiles`` from ``roads.parquet``; the same graph gives the same bytes.

    Raises:
        ResourceError: If tippecanoe fails, or the disk is full.
    """
    write_pmtiles(folder / names.ROADS, folder / names.ROAD_TILES, LAYER)


def write_road_geopackage(folder: Path, *, created: datetime) -> None:
    """Write ``roads.gpkg`` from ``roads.parquet``.

    Args:
        folder: Folder of both.
        created: Time that the file states as its last change, UTC.

    Raises:
        ResourceError: If the disk is full.
    """
    write_geopackage(
        folder / names.ROADS,
        folder / names.ROAD_GEOPACKAGE,
        created=created,
        layer=LAYER.name,
        columns=_COLUMNS,
        geometry_type="LineString",
    )
