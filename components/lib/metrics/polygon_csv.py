"""Reading SpaceNet building CSVs: ``ImageId, BuildingId, PolygonWKT_Pix[, Confidence]`` and extra columns.

A score must not be silently wrong: a file is what its header says, or it is refused with the line.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.contract.errors import MissingInputError
from components.lib.foreign import one_line
from components.lib.geo.wkt import parse_polygons
from components.lib.tables import Row, Table, read_table

_IMAGE = "ImageId"
_WKT = "PolygonWKT_Pix"
_CONFIDENCE = "Confidence"

_LONGEST_ID = 255
_LONGEST_FIELD = 1000
"""Characters of any field but the polygon."""

_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PolygonTable:
    """Polygons of many tiles, in file order.

    Attributes:
        tiles: Image id of each polygon without blanks around it, (N,) object.
        geometry: 2-D shapely polygons in tile pixel coordinates, (N,) object.
        confidence: (N,) float64; 1 throughout where the file has no such column.
    """

    tiles: NDArray[np.object_]
    geometry: NDArray[np.object_]
    confidence: NDArray[np.float64]


def read_polygon_csv(path: Path, *, threads: int = 2) -> PolygonTable:
    """Read a truth or a proposal CSV.

    Heights in the WKT (``POLYGON Z``, as in the published files) are dropped; ``POLYGON EMPTY``, which marks
    a tile without buildings, is kept as an empty polygon.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If the file is not such a CSV, naming file and line.
    """
    if not path.is_file():
        problem = "is no regular file" if path.exists() else "is missing"
        raise MissingInputError(f"{path} {problem}", next_step="give the path of a SpaceNet building CSV")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingInputError(
            f"{path} cannot be read: {error.strerror}", next_step="check its permissions"
        ) from error
    table = read_table(content, str(path))
    image, wkt = table.require((_IMAGE, _WKT))
    for row in table.even_rows():
        _check_lengths(table, row, wkt)
    return PolygonTable(
        tiles=_ids(table, image),
        geometry=_polygons(table, wkt, threads),
        confidence=_confidence(table),
    )


def _check_lengths(table: Table, row: Row, wkt: int) -> None:
    for index, field in enumerate(row.fields):
        if index != wkt and len(field) > _LONGEST_FIELD:
            raise table.bad(row, f"{table.header[index] or 'a field'} has {len(field):,} characters")


def _ids(table: Table, image: int) -> NDArray[np.object_]:
    ids = np.empty(len(table.rows), dtype=object)
    for i, row in enumerate(table.rows):
        ids[i] = row.fields[image].strip()
        if not ids[i]:
            raise table.bad(row, f"{_IMAGE} is blank", next_step="give every row the id of its tile")
        if len(ids[i]) > _LONGEST_ID or not ids[i].isprintable():
            raise table.bad(row, f"{_IMAGE} {one_line(ids[i])[:60]!r} is no id of a tile")
    return ids


def _confidence(table: Table) -> NDArray[np.float64]:
    column = table.find(_CONFIDENCE)
    values = np.ones(len(table.rows))
    if column is None:
        return values
    for i, row in enumerate(table.rows):
        text = row.fields[column]
        values[i] = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(values[i]):
            raise table.bad(
                row,
                f"confidence {one_line(text)[:60]!r} is not a number",
                next_step="give every proposal a finite confidence, or leave the column out",
            )
    return values


def _polygons(table: Table, wkt: int, threads: int) -> NDArray[np.object_]:
    parsed = parse_polygons([row.fields[wkt] for row in table.rows], threads=threads)
    for index, reason in parsed.reasons.items():
        more = f" (and {len(parsed.reasons) - 1} more lines)" if len(parsed.reasons) > 1 else ""
        raise table.bad(
            table.rows[index],
            reason + more,
            next_step="write polygons as POLYGON ((x y, ...)) in pixels, POLYGON EMPTY for none",
        )
    return parsed.geometry
