"""Reading SpaceNet building CSVs: ``ImageId, BuildingId, PolygonWKT_Pix[, Confidence]`` and extra columns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from components.contract.errors import BadDataError, MissingInputError

_IMAGE = "ImageId"
_WKT = "PolygonWKT_Pix"
_CONFIDENCE = "confidence"


@dataclass(frozen=True, slots=True)
class PolygonTable:
    """Polygons of many tiles, in file order.

    Attributes:
        tiles: Image id of each polygon, (N,) object.
        geometry: 2-D shapely polygons in tile pixel coordinates, (N,) object.
        confidence: (N,) float64; 1 throughout where the file has no such column.
    """

    tiles: NDArray[np.object_]
    geometry: NDArray[np.object_]
    confidence: NDArray[np.float64]


def read_polygon_csv(path: Path, *, threads: int = 2) -> PolygonTable:
    """Read a truth or a proposal CSV.

    Heights in the WKT (``POLYGON Z`` or a bare third coordinate, as in the published files) are dropped;
    ``POLYGON EMPTY``, which marks a tile without buildings, is kept as an empty polygon.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If the file is not such a CSV, naming file and line.
    """
    frame = _read_columns(path)
    confidence = _confidence(frame, path)
    return PolygonTable(
        tiles=frame[_IMAGE].to_numpy(dtype=object),
        geometry=_parse(frame[_WKT].to_numpy(dtype=object), path, threads),
        confidence=confidence,
    )


def _read_columns(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise MissingInputError(f"{path} is missing", next_step="give the path of a SpaceNet building CSV")
    wanted = {_IMAGE.lower(), _WKT.lower(), _CONFIDENCE}
    try:
        frame = pd.read_csv(
            path,
            usecols=lambda name: name.strip().lower() in wanted,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except (
        ValueError,
        pd.errors.ParserError,
    ) as error:  # EmptyDataError and UnicodeDecodeError are ValueErrors
        raise BadDataError(
            f"{path} is not a readable CSV: {str(error).strip()}",
            next_step="write it as comma-separated UTF-8 with a header line",
        ) from error
    frame.columns = [_canonical(name) for name in frame.columns]
    for column in (_IMAGE, _WKT):
        if column not in frame.columns:
            raise BadDataError(
                f"{path} has no column {column}",
                next_step=f"name the columns {_IMAGE},BuildingId,{_WKT},Confidence",
            )
    return frame


def _canonical(name: str) -> str:
    lowered = name.strip().lower()
    return {_IMAGE.lower(): _IMAGE, _WKT.lower(): _WKT}.get(lowered, lowered)


def _confidence(frame: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    if _CONFIDENCE not in frame.columns:
        return np.ones(len(frame))
    values = pd.to_numeric(frame[_CONFIDENCE], errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise BadDataError(
            f"{path}, line {bad[0] + 2}: confidence {frame[_CONFIDENCE].iloc[bad[0]]!r} is not a number",
            next_step="give every proposal a finite confidence, or leave the column out",
        )
    return values


def _parse(texts: NDArray[np.object_], path: Path, threads: int) -> NDArray[np.object_]:
    """WKT to 2-D geometries, in ``threads`` slices: GEOS parses outside the interpreter lock."""
    slices = np.array_split(texts, max(1, threads))
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        parsed = np.concatenate(list(pool.map(_parse_slice, slices)))
    bad = np.flatnonzero(shapely.is_missing(parsed))
    if bad.size:
        raise BadDataError(
            f"{path}, line {bad[0] + 2}: {str(texts[bad[0]])[:60]!r} is not valid WKT"
            + (f" (and {bad.size - 1} more lines)" if bad.size > 1 else ""),
            next_step="write polygons as POLYGON ((x y, ...)) in pixels, POLYGON EMPTY for none",
        )
    with np.errstate(over="ignore"):
        unbounded = np.flatnonzero(~np.isfinite(shapely.area(parsed)))
    if unbounded.size:
        raise BadDataError(
            f"{path}, line {unbounded[0] + 2}: the polygon has a coordinate that is not finite",
            next_step="write finite pixel coordinates",
        )
    return parsed


def _parse_slice(texts: NDArray[np.object_]) -> NDArray[np.object_]:
    # "ignore" gives None for what GEOS cannot read, so that the caller can name the line.
    geometry: NDArray[np.object_] = np.asarray(shapely.from_wkt(texts, on_invalid="ignore"), dtype=object)
    return np.asarray(shapely.force_2d(geometry), dtype=object)
