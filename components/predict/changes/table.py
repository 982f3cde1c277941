"""Changes as GeoParquet, GeoPackage and vector tiles."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import geopandas
import numpy as np
import pyarrow as pa

from components.lib.change.footprints.changes import COLUMNS
from components.predict.outputs.geopackage import write_geopackage
from components.predict.outputs.geoparquet import ROWS, GeoParquetWriter
from components.predict.outputs.tiles import TileLayer, write_pmtiles

PARQUET: Final = "changes.parquet"
GEOPACKAGE: Final = "changes.gpkg"
TILES: Final = "changes.pmtiles"
LAYER: Final = TileLayer("changes", "Building changes", ("kind",))

_TEXTS: Final = ("kind", "building", "before_map", "after_map")
_DATES: Final = ("before_date", "after_date")
_FIELDS: Final = tuple(
    pa.field(name, pa.timestamp("ms", tz="UTC"), nullable=True)
    if name in _DATES
    else pa.field(name, pa.string() if name in _TEXTS else pa.float64(), nullable=False)
    for name in COLUMNS
)


def write_table(folder: Path, table: geopandas.GeoDataFrame, crs: str, *, simulated: bool) -> None:
    """Write ``changes.parquet`` and ``changes.pmtiles``.

    Args:
        folder: Folder of the files.
        table: Changes, as of :class:`components.lib.change.footprints.changes.BuildingChanges`.
        crs: CRS of the table.
        simulated: True if a map is of the rehearsal world, which the file's metadata state.

    Raises:
        ResourceError: If the disk is full, or the tiles cannot be made.
    """
    tags = {"STORMSIGHT_SIMULATED": "yes" if simulated else "no"}
    with GeoParquetWriter(folder / PARQUET, crs, _FIELDS, tags) as writer:
        for start in range(0, len(table), ROWS):
            part = table.iloc[start : start + ROWS]
            columns = {
                field.name: pa.array(part[field.name], type=field.type, from_pandas=True) for field in _FIELDS
            }
            writer.write(np.asarray(part.geometry.to_numpy(), dtype=object), columns)
    write_pmtiles(folder / PARQUET, folder / TILES, LAYER)


def write_change_geopackage(folder: Path, *, created: datetime) -> None:
    """Write ``changes.gpkg`` from ``changes.parquet``.

    Raises:
        ResourceError: If the disk is full.
    """
    write_geopackage(
        folder / PARQUET,
        folder / GEOPACKAGE,
        created=created,
        layer=LAYER.name,
        columns=("id", "geometry", *COLUMNS),
        geometry_type="Unknown",
    )
