"""Footprints of a map as GeoParquet, whose bytes do not depend on the batches that they come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.predict.outputs.geoparquet import ROWS, GeoParquetWriter
from components.predict.outputs.writer import OutputWriter

COLUMNS: Final = (
    pa.field("confidence", pa.float64(), nullable=False),
    pa.field("area_m2", pa.float64(), nullable=False),
    pa.field("scene", pa.string(), nullable=False),
    pa.field("model", pa.string(), nullable=False),
    pa.field("model_version", pa.string(), nullable=False),
)
"""Columns beside ``id``, ``geometry`` and ``bbox``."""


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
        self._waiting: list[Footprints] = []
        self._rows = 0
        self._parquet = GeoParquetWriter(path, crs, COLUMNS, tags)

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
        self._parquet.close()

    def discard(self, error: BaseException) -> None:
        """See :class:`OutputWriter`."""
        self._parquet.discard(error)

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
        columns = {"confidence": buildings.confidence, "area_m2": buildings.area_m2}
        constants = {name: [value] * len(buildings) for name, value in self._constants.items()}
        self._parquet.write(buildings.polygons, {**columns, **constants})
