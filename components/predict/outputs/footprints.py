"""Footprints of a map as GeoParquet 1.1, written in row groups of fixed length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from components.lib.disk import writing_to
from components.lib.files import atomic_file
from components.predict.outputs.writer import OutputWriter

ROWS: Final = 8192
"""Buildings of a row group: about 2 MB, and all that the writer holds."""

_EDGES: Final = ("xmin", "ymin", "xmax", "ymax")

SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("geometry", pa.binary(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("area_m2", pa.float64(), nullable=False),
        pa.field("scene", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field(
            "bbox",
            pa.struct([pa.field(edge, pa.float64(), nullable=False) for edge in _EDGES]),
            nullable=False,
        ),
    ]
)


@dataclass(frozen=True, slots=True)
class Footprints:
    """Buildings in map coordinates.

    Attributes:
        polygons: (N,) object array of shapely polygons, metres of the map's CRS.
        confidence: (N,) 0 to 1.
        area_m2: (N,) square metres.
    """

    polygons: npt.NDArray[np.object_]
    confidence: npt.NDArray[np.float64]
    area_m2: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.polygons) == len(self.confidence) == len(self.area_m2):
            raise ValueError("polygons, confidence and area_m2 differ in length")

    def __len__(self) -> int:
        return len(self.polygons)

    def part(self, start: int, end: int) -> Footprints:
        """Return the buildings ``start`` to ``end``, exclusive."""
        return Footprints(self.polygons[start:end], self.confidence[start:end], self.area_m2[start:end])


class FootprintWriter(OutputWriter):
    """Writer of ``footprints.parquet``; it holds at most one row group and one batch.

    Rows stay in the order of arrival. The file's bytes depend on the buildings and their order, not on the
    batches that they came in.

    Args:
        path: File to publish.
        crs: CRS of the polygons.
        scene: Name of the scene, a column.
        model: Name of the model, a column.
        model_version: Version of the model, a column.
        tags: Facts for the file's metadata, such as ``MapFacts.tags``.
    """

    def __init__(
        self,
        path: Path,
        crs: str,
        *,
        scene: str,
        model: str,
        model_version: str,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._constants = {"scene": scene, "model": model, "model_version": model_version}
        self._tags = dict(tags or {})
        self._crs = pyproj.CRS.from_user_input(crs)
        self._waiting: list[Footprints] = []
        self._rows = 0
        self._types: set[str] = set()
        self._bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._stack = ExitStack()
        self._stack.enter_context(writing_to(path.parent))
        temporary = self._stack.enter_context(atomic_file(path))
        # No statistics of binary geometries: they would prune nothing, the boxes do.
        self._parquet = self._stack.enter_context(
            pq.ParquetWriter(
                temporary,
                SCHEMA,
                compression="zstd",
                write_statistics=[*(f"bbox.{edge}" for edge in _EDGES), "confidence", "area_m2"],
                store_schema=False,
            )
        )

    def add(self, batch: Footprints) -> None:
        """Append buildings.

        Raises:
            ResourceError: If the disk is full.
        """
        self._waiting.append(batch)
        self._rows += len(batch)
        while self._rows >= ROWS:
            self._write(self._take(ROWS))

    def close(self) -> None:
        """Publish the file, which may be empty of buildings.

        Raises:
            ResourceError: If the disk is full.
        """
        if self._rows:
            self._write(self._take(self._rows))
        self._parquet.add_key_value_metadata({**self._tags, "geo": json.dumps(self._geo(), sort_keys=True)})
        self._stack.close()

    def discard(self, error: BaseException) -> None:
        """See :class:`OutputWriter`."""
        self._stack.__exit__(type(error), error, error.__traceback__)

    def _take(self, rows: int) -> Footprints:
        """Return the first ``rows`` buildings that wait, and keep the others."""
        waiting = Footprints(
            np.concatenate([batch.polygons for batch in self._waiting]),
            np.concatenate([batch.confidence for batch in self._waiting]),
            np.concatenate([batch.area_m2 for batch in self._waiting]),
        )
        self._waiting = [waiting.part(rows, len(waiting))]
        self._rows = len(waiting) - rows
        return waiting.part(0, rows)

    def _write(self, buildings: Footprints) -> None:
        polygons = shapely.orient_polygons(buildings.polygons)
        bounds = shapely.bounds(polygons)
        self._bounds[:2] = np.minimum(self._bounds[:2], bounds[:, :2].min(axis=0))
        self._bounds[2:] = np.maximum(self._bounds[2:], bounds[:, 2:].max(axis=0))
        self._types |= {polygon.geom_type for polygon in polygons}
        wkb = shapely.to_wkb(polygons, byte_order=1, output_dimension=2, flavor="iso")
        columns = {
            "id": [hashlib.sha256(geometry).hexdigest()[:16] for geometry in wkb],
            "geometry": wkb,
            "confidence": buildings.confidence,
            "area_m2": buildings.area_m2,
            **{name: [value] * len(wkb) for name, value in self._constants.items()},
            "bbox": pa.StructArray.from_arrays(list(bounds.T), fields=list(SCHEMA.field("bbox").type)),
        }
        table = pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
        self._parquet.write_table(table, row_group_size=ROWS)

    def _geo(self) -> dict[str, Any]:
        """Return the file metadata of the GeoParquet 1.1.0 specification."""
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self._types),
            "crs": self._crs.to_json_dict(),
            "edges": "planar",
            "orientation": "counterclockwise",
            "covering": {"bbox": {edge: ["bbox", edge] for edge in _EDGES}},
        }
        if self._types:
            column["bbox"] = self._bounds.tolist()
        return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
