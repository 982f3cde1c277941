"""Polygons in well-known text (WKT) of foreign CSV files; the one place where such text meets the parser.

GEOS parses nested collections recursively and crashes the process on deep ones, and knows curved geometries
that shapely does not. Only text that starts as ``POLYGON`` or ``MULTIPOLYGON``, which do not nest, is
handed to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from components.lib.foreign import one_line

MAX_COORDINATE = 1e9
"""Largest absolute value of a coordinate, pixels, metres or degrees; the Earth's girth is 4e7 m."""

_POLYGONS = re.compile(r"\s*(?:MULTI)?POLYGON\s*(?:ZM|Z|M)?\s*(?:\(|EMPTY\s*\Z)", re.IGNORECASE)
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ParsedPolygons:
    """Result of :func:`parse_polygons`.

    Attributes:
        geometry: (N,) object, two-dimensional polygons and multi-polygons, None where ``reasons`` says why.
        reasons: What is wrong, in words, by index; in order.
    """

    geometry: NDArray[np.object_]
    reasons: Mapping[int, str]


def parse_polygons(texts: Sequence[str], *, threads: int = 1) -> ParsedPolygons:
    """Parse polygons; heights and measures (Z, M) are dropped.

    Args:
        texts: (N,) WKT of any origin.
        threads: Slices parsed side by side: GEOS works outside the interpreter lock.
    """
    allowed = np.array([_POLYGONS.match(text) is not None for text in texts], dtype=bool)
    safe = np.array([text if good else "" for text, good in zip(texts, allowed, strict=True)], dtype=object)
    geometry = _parse(safe, threads)
    unreadable = shapely.is_missing(geometry)
    unbounded = np.zeros(len(geometry), dtype=bool)
    xy, index = shapely.get_coordinates(geometry, return_index=True)
    unbounded[index[~(np.abs(xy) <= MAX_COORDINATE).all(axis=1)]] = True
    geometry[unbounded] = None
    reasons = {}
    for i in np.flatnonzero(unreadable | unbounded).tolist():
        if unbounded[i]:
            reasons[i] = f"the polygon has a coordinate that is not finite or beyond {MAX_COORDINATE:g}"
        elif allowed[i]:
            reasons[i] = f"{one_line(texts[i])[:_SHOWN]!r} is not valid WKT"
        else:
            reasons[i] = f"{one_line(texts[i])[:_SHOWN]!r} is not valid WKT of a POLYGON or MULTIPOLYGON"
    return ParsedPolygons(geometry, reasons)


def _parse(texts: NDArray[np.object_], threads: int) -> NDArray[np.object_]:
    if threads < 2:
        return _parse_slice(texts)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return np.concatenate(list(pool.map(_parse_slice, np.array_split(texts, threads))))


def _parse_slice(texts: NDArray[np.object_]) -> NDArray[np.object_]:
    # "ignore" gives None for what GEOS cannot read, so that the caller can name the line.
    with np.errstate(invalid="ignore"):  # coordinates that are not finite
        geometry: NDArray[np.object_] = np.asarray(shapely.from_wkt(texts, on_invalid="ignore"), dtype=object)
    return np.asarray(shapely.force_2d(geometry), dtype=object)
