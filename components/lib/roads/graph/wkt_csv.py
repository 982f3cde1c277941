"""CSV files of roads, ``ImageId, WKT_Pix``: well-known text in pixels, origin top left."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from components.lib.foreign import one_line
from components.lib.roads.graph.drawn import Road, RoadFile, vertices
from components.lib.tables import Row, read_table

_WKT: Final = re.compile(
    r"""\s*(MULTI)?LINESTRING\s*(ZM?|M)?\s*
    (?:(EMPTY)|\(([-+\d.e,()\s]*)\))\s*""",
    re.IGNORECASE | re.ASCII | re.VERBOSE,
)
LONGEST_ID: Final = 255


def read_csv(content: bytes, path: Path) -> RoadFile:
    """Read a CSV as the Java scorer does: with ``#`` lines, without a header or without quotes, too.

    Raises:
        BadDataError: If it is no such table, or a row names no image; what else is wrong with a row is told
            by its road.
    """
    lines = [b"" if line.lstrip().startswith(b"#") else line for line in content.split(b"\n")]
    table = read_table(b"\n".join(lines), str(path))
    image, wkt, rows, last = 0, 1, table.rows, True
    if len(table.header) > 1 and _WKT.match(table.header[1].partition(",")[0] + ")") is not None:
        rows = [Row(1, list(table.header)), *rows]  # a file without a header
    else:
        image, wkt = table.require(("ImageId", "WKT_Pix"))
        last = wkt == len(table.header) - 1
    images: dict[str, list[Road]] = {}
    for row in rows:
        place, fields = f"line {row.line}", row.fields
        name = fields[image].strip() if image < len(fields) else ""
        if not name or len(name) > LONGEST_ID or not name.isprintable():
            raise table.bad(row, f"ImageId {one_line(name)[:60]!r} is no id of an image")
        images.setdefault(name, []).append(_row(fields, wkt, place, last=last))
    return RoadFile(path, images, pixels=True)


def _row(fields: list[str], wkt: int, place: str, *, last: bool) -> Road:
    if len(fields) <= wkt:
        return Road(place, problem="a row without a comma")
    # The Java scorer cuts at the first comma, so that text without quotes is read as well.
    return parse_lines(",".join(fields[wkt:]) if last else fields[wkt], place)


def parse_lines(text: str, place: str) -> Road:
    """Return the road that text draws, ``LINESTRING`` or ``MULTILINESTRING``; heights are dropped.

    Args:
        text: Well-known text of any origin.
        place: Its place in the file, for messages.
    """
    match = _WKT.fullmatch(" ".join(text.split()))  # runs of blanks would be tried in all ways
    if match is None:
        return Road(place, problem=f"{one_line(text)[:60]!r} is no LINESTRING")
    multi, tag, empty, body = match.groups()
    if empty:
        return Road(place, tagged=tag is not None, multi=multi is not None)
    texts = re.split(r"\)\s*,\s*\(", body.strip()[1:-1]) if multi and body.strip()[:1] == "(" else [body]
    try:
        parts = tuple(vertices([p.split() for p in part.split(",")], numbers=False) for part in texts)
    except ValueError as error:
        return Road(place, problem=f"{one_line(text)[:60]!r}: {error}")
    return Road(place, parts, tagged=tag is not None, multi=multi is not None)
