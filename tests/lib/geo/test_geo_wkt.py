"""WKT of foreign files: polygons only, bounded before GEOS sees them."""

from __future__ import annotations

import pytest
import shapely

from components.lib.geo.wkt import parse_polygons


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))", 16),
        ("polygon((0 0,4 0,4 4,0 4,0 0))", 16),
        ("POLYGON Z ((0 0 1, 4 0 1, 4 4 1, 0 4 1, 0 0 1))", 16),
        ("POLYGON ((0 0 1, 4 0 1, 4 4 1, 0 4 1, 0 0 1))", 16),
        ("  MULTIPOLYGON (((0 0, 4 0, 4 4, 0 0)), ((9 9, 10 9, 10 10, 9 9)))", 8.5),
        ("POLYGON EMPTY", 0),
        ("MULTIPOLYGON EMPTY ", 0),
    ],
)
def test_polygons_are_read_flat(text: str, area: float) -> None:
    parsed = parse_polygons([text], threads=2)
    assert not parsed.reasons
    assert parsed.geometry[0].area == area
    assert not shapely.has_z(parsed.geometry[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "POINT (1 1)",
        "POINT EMPTY",
        "LINESTRING (0 0, 1 1)",
        "GEOMETRYCOLLECTION EMPTY",
        "GEOMETRYCOLLECTION (POLYGON ((0 0, 4 0, 4 4, 0 0)))",
        "CURVEPOLYGON ((60 60, 90 60, 90 90, 60 90, 60 60))",
        "MULTISURFACE (((0 0, 4 0, 4 4, 0 0)))",
        "TRIANGLE ((0 0, 4 0, 4 4, 0 0))",
        "GEOMETRYCOLLECTION(" * 200_000 + ")" * 200_000,
        "POLYGON " + "(" * 200_000 + ")" * 200_000,
        "MULTIPOLYGON " + "(" * 200_000,
        "POLYGON ((0 0, 1 1))",
        "POLYGON ((0 0, 4 0, 4 4, 0 0)) and more",
        "POLYGON ((nan 0, 4 0, 4 4, nan 0))",
        "POLYGON ((inf 0, 4 0, 4 4, inf 0))",
        "POLYGON ((1e300 0, 4 0, 4 4, 1e300 0))",
        "SRID=32631;POLYGON ((0 0, 4 0, 4 4, 0 0))",
    ],
)
def test_anything_else_is_told_with_a_reason(text: str) -> None:
    parsed = parse_polygons(["POLYGON EMPTY", text])
    assert parsed.geometry[1] is None
    assert list(parsed.reasons) == [1]
    assert len(parsed.reasons[1]) < 200
