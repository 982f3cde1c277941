"""Independent, strict and slow reading and scoring of SpaceNet building CSVs."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import shapely

_NAMES = ("imageid", "polygonwkt_pix", "confidence")

MAX_FIELD = 4 * 2**20
"""Characters of one field; a longer one is no polygon and no reason."""

Footprint = tuple[str, Any, float]
"""Image id, polygon, confidence."""


class NotStrictError(Exception):
    """The file is not what its header says: the only right answer is a refusal."""


def read_strictly(content: bytes) -> list[Footprint]:
    """Read a CSV, or refuse it.

    Raises:
        NotStrictError: If a field is missing or one too many, a polygon or number is none, or it is no text.
    """
    lines = read_rows(content)
    lines = [row for row in lines if any(field.strip() for field in row) or len(row) > 1]
    if not lines:
        raise NotStrictError("no header")
    header = [name.strip().lower() for name in lines[0]]
    if any(header.count(name) > 1 for name in _NAMES) or not set(_NAMES[:2]) <= set(header):
        raise NotStrictError("header without or with doubled columns")
    return [_row(dict(zip(header, row, strict=True))) for row in _checked(lines[1:], header)]


def read_rows(content: bytes) -> list[list[str]]:
    """Return the fields of all rows that are not empty.

    Raises:
        NotStrictError: If it is no text, or wrongly quoted.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotStrictError("no UTF-8") from error
    if "\0" in text:
        raise NotStrictError("holds NUL")
    csv.field_size_limit(MAX_FIELD)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise NotStrictError(str(error)) from error


def _checked(rows: list[list[str]], header: list[str]) -> list[list[str]]:
    for row in rows:
        if len(row) != len(header):
            raise NotStrictError(f"{len(row)} fields, header {len(header)}")
    return rows


def _row(fields: dict[str, str]) -> Footprint:
    image = fields["imageid"].strip()
    if not image:
        raise NotStrictError("blank id")
    confidence = 1.0
    if "confidence" in fields:
        try:
            confidence = float(fields["confidence"])
        except ValueError as error:
            raise NotStrictError("confidence is no number") from error
        if not math.isfinite(confidence):
            raise NotStrictError("confidence is not finite")
    return image, polygon(fields["polygonwkt_pix"]), confidence


def polygon(text: str) -> Any:
    """Read one polygon in WKT.

    Raises:
        NotStrictError: If it is none.
    """
    if text.count("(") > 10_000 or _depth(text) > 3:
        raise NotStrictError("nested too deep")
    try:
        polygon = shapely.from_wkt(text)
    except (shapely.errors.GEOSException, UnicodeEncodeError, ValueError) as error:
        raise NotStrictError("no WKT") from error
    if polygon is None or polygon.geom_type not in ("Polygon", "MultiPolygon"):
        raise NotStrictError("no polygon")
    polygon = shapely.force_2d(polygon)
    if not all(map(math.isfinite, shapely.get_coordinates(polygon).ravel())):
        raise NotStrictError("a coordinate is not finite")
    if not math.isfinite(polygon.area):
        raise NotStrictError("an area is not finite")
    return polygon


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest


def count(
    truth: list[Footprint], proposals: list[Footprint], min_area: float, iou: float
) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives, tile by tile, greedily by confidence."""
    found = wrong = 0
    large = [(image, polygon) for image, polygon, _ in truth if polygon.area >= min_area and polygon.area > 0]
    taken: set[int] = set()
    for image, polygon, _ in sorted(proposals, key=lambda row: -row[2]):
        if polygon.area <= min_area:
            continue
        repaired = polygon if polygon.is_valid else polygon.buffer(0)
        best, chosen = iou, -1
        for number, (other, target) in enumerate(large):
            if other == image and number not in taken and target.is_valid:
                shared = target.intersection(repaired).area
                value = shared / (target.area + repaired.area - shared)
                if value > best:
                    best, chosen = value, number
        if chosen < 0:
            wrong += 1
        else:
            found += 1
            taken.add(chosen)
    return found, wrong, len(large) - found
