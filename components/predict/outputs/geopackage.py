"""Footprints as a GeoPackage, made from the GeoParquet file batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from components.contract.errors import ResourceError
from components.lib.disk import resource_failure, writing_to
from components.lib.files import atomic_file
from components.lib.foreign import one_line
from components.predict.outputs.reading import BATCH_ROWS, crs_of

LAYER: Final = "footprints"
VERSION: Final = "1.3"
"""Of the format; QGIS of Debian 12 (GDAL 3.6) warns of the later ones."""
_COLUMNS: Final = ("id", "geometry", "confidence", "area_m2", "scene", "model", "model_version")


def write_geopackage(
    parquet: Path,
    path: Path,
    *,
    created: datetime,
    layer: str = LAYER,
    columns: Sequence[str] = _COLUMNS,
    geometry_type: str = "Polygon",
) -> None:
    """Write footprints, or other polygons, as one layer; memory holds one batch.

    Args:
        parquet: Published footprints.
        path: File to write.
        created: Time that the file states as its last change, UTC.
        layer: Name of the layer.
        columns: Columns to write, ``geometry`` among them.
        geometry_type: Type of the layer; ``Unknown`` for polygons and multi-polygons.

    Raises:
        ResourceError: If the disk is full.
    """
    stamp = created.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with pq.ParquetFile(parquet) as file, writing_to(path.parent), atomic_file(path) as temporary:
        temporary.unlink()  # GDAL takes an empty file for a damaged one
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])

        def read() -> Iterator[pa.RecordBatch]:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns)):
                yield batch.select(list(columns)).cast(schema)

        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": stamp})
        try:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, read()),
                temporary,
                driver="GPKG",
                layer=layer,
                geometry_name="geometry",
                geometry_type=geometry_type,
                crs=crs_of(parquet).to_wkt(),
                dataset_options={"VERSION": VERSION},
            )
        except (DataSourceError, DataLayerError) as error:
            raise resource_failure(error) or ResourceError(
                f"{path} cannot be written: {one_line(error)}",
                next_step="check free space and permissions of its folder",
            ) from error
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
