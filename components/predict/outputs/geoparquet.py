"""Polygons with columns as GeoParquet 1.1, written in row groups of fixed length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from components.lib.disk import writing_to
from components.lib.files import atomic_file

ROWS: Final = 8192
"""Rows of a row group: about 2 MB of buildings."""

EDGES: Final = ("xmin", "ymin", "xmax", "ymax")


def schema_of(columns: Sequence[pa.Field]) -> pa.Schema:
    """Return the schema of a file: ``id, geometry``, the columns, ``bbox``."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("geometry", pa.binary(), nullable=False),
            *columns,
            pa.field(
                "bbox",
                pa.struct([pa.field(edge, pa.float64(), nullable=False) for edge in EDGES]),
                nullable=False,
            ),
        ]
    )


class GeoParquetWriter:
    """Writer of a GeoParquet file; each call of :meth:`write` gives one row group.

    An id is a hash of the row's geometry.

    Args:
        path: File to publish when the block ends without an error.
        crs: CRS of the polygons.
        columns: Columns beside ``id``, ``geometry`` and ``bbox``; numbers among them get statistics.
        tags: Facts for the file's metadata.
    """

    def __init__(
        self, path: Path, crs: str, columns: Sequence[pa.Field], tags: Mapping[str, str] | None = None
    ) -> None:
        self._schema = schema_of(columns)
        self._tags = dict(tags or {})
        self._crs = pyproj.CRS.from_user_input(crs)
        self._types: set[str] = set()
        self._bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._stack = ExitStack()
        self._stack.enter_context(writing_to(path.parent))
        temporary = self._stack.enter_context(atomic_file(path))
        numbers = [field.name for field in columns if pa.types.is_floating(field.type)]
        # No statistics of binary geometries: they would prune nothing, the boxes do.
        self._parquet = self._stack.enter_context(
            pq.ParquetWriter(
                temporary,
                self._schema,
                compression="zstd",
                write_statistics=[*(f"bbox.{edge}" for edge in EDGES), *numbers],
                store_schema=False,
            )
        )

    def write(self, polygons: npt.NDArray[np.object_], columns: Mapping[str, Any]) -> None:
        """Write at most ``ROWS`` rows as one row group.

        Args:
            polygons: (N,) shapely polygons and multi-polygons, at least one.
            columns: Values of the columns by name, (N,) each.

        Raises:
            ResourceError: If the disk is full.
        """
        oriented = shapely.orient_polygons(polygons)
        bounds = shapely.bounds(oriented)
        self._bounds[:2] = np.minimum(self._bounds[:2], bounds[:, :2].min(axis=0))
        self._bounds[2:] = np.maximum(self._bounds[2:], bounds[:, 2:].max(axis=0))
        self._types |= {polygon.geom_type for polygon in oriented}
        wkb = shapely.to_wkb(oriented, byte_order=1, output_dimension=2, flavor="iso")
        found = {
            **columns,
            "id": [hashlib.sha256(geometry).hexdigest()[:16] for geometry in wkb],
            "geometry": wkb,
            "bbox": pa.StructArray.from_arrays(list(bounds.T), fields=list(self._schema.field("bbox").type)),
        }
        table = pa.table([found[name] for name in self._schema.names], schema=self._schema)
        self._parquet.write_table(table, row_group_size=ROWS)

    def close(self) -> None:
        """Publish the file, which may have no row.

        Raises:
            ResourceError: If the disk is full.
        """
        self._parquet.add_key_value_metadata({**self._tags, "geo": json.dumps(self._geo(), sort_keys=True)})
        self._stack.close()

    def discard(
        self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was written, because of an error."""
        self._stack.__exit__(kind, error, trace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard(kind, error, trace)

    def _geo(self) -> dict[str, Any]:
        """Return the file metadata of the GeoParquet 1.1.0 specification."""
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self._types),
            "crs": self._crs.to_json_dict(),
            "edges": "planar",
            "orientation": "counterclockwise",
            "covering": {"bbox": {edge: ["bbox", edge] for edge in EDGES}},
        }
        if self._types:
            column["bbox"] = self._bounds.tolist()
        return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
