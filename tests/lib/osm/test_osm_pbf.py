"""PBF files, also hostile ones, become masks or named errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.geo.grid import Grid
from components.lib.osm import pbf
from components.lib.osm.terms import BACKGROUND, IGNORE, OBJECT
from tests.lib.osm.extracts import (
    BUILDINGS,
    GRID,
    ROADS,
    SIDE,
    Pbf,
    degrees,
    draw,
    extract_of,
    ground,
    read,
)

RESIDENTIAL, BUILDING = {"highway": "residential"}, {"building": "yes"}
SQUARE = [(8.0, 8.0), (24.0, 8.0), (24.0, 24.0), (8.0, 24.0)]
HOLE = [(12.0, 12.0), (20.0, 12.0), (20.0, 20.0), (12.0, 20.0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.osm.pbf"


def share(mask: np.ndarray, value: int = OBJECT) -> float:
    """Area of a value, square metres."""
    return float((mask == value).sum()) * GRID.gsd_m**2


def test_roads_are_as_wide_as_the_table_says(path: Path) -> None:
    made = Pbf()
    made.way([(-10, 16), (42, 16)], RESIDENTIAL)
    made.way([(-10, 5), (42, 5)], {"highway": "footway"})
    drawing, found = draw(made.write(path))
    rows = (drawing.mask == OBJECT).any(axis=1)
    assert np.flatnonzero(rows).tolist() == [*range(28, 36)]  # 4 m around 16 m
    assert drawing.length_m == pytest.approx(32.0, abs=0.1)
    assert (drawing.objects, found.seen, found.left_out) == (1, 2, {"dropped class footway": 1})
    assert (found.timestamp[:10], found.box) == ("2019-08-01", (3.0, 51.0, 6.0, 53.0))


def test_ways_far_from_all_tiles_are_let_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbf, "PIECE", 2)
    monkeypatch.setattr(pbf, "IN_MEMORY_BYTES", 0)  # places of nodes in a file
    made = Pbf()
    for k in range(5):
        made.way([(5_000 + k, 16), (5_100 + k, 16)], RESIDENTIAL)
        made.way([(0, 4 + k), (32, 4 + k)], RESIDENTIAL)
    found = read(made.write(path))
    assert (found.seen, len(found.features())) == (10, 5)


def test_surfaces_of_roads_are_filled(path: Path) -> None:
    made = Pbf()
    made.way(SQUARE, {"highway": "residential", "area": "yes"}, closed=True)
    assert share(draw(made.write(path))[0].mask) == 16.0**2
    made = Pbf()
    made.way(SQUARE, RESIDENTIAL, closed=True)
    assert share(draw(made.write(path))[0].mask) < 16.0**2 + 32 * 4


def test_uncertain_roads_are_ignored_below_certain_ones(path: Path) -> None:
    made = Pbf()
    made.way([(-10, 16), (42, 16)], {"highway": "road"})
    made.way([(16, -10), (16, 42)], RESIDENTIAL)
    mask = draw(made.write(path))[0].mask
    assert (mask[32, 0], mask[32, 32], mask[0, 0]) == (IGNORE, OBJECT, BACKGROUND)
    assert share(mask, IGNORE) == 8 * (32 - 4)


def test_no_data_and_ground_outside_of_the_coverage_are_ignored(path: Path) -> None:
    made = Pbf()
    made.way([(-10, 16), (42, 16)], RESIDENTIAL)
    nodata = np.zeros((SIDE, SIDE), dtype=bool)
    nodata[:, :10] = True
    nodata[20, 4] = False  # a single valid pixel in it
    nodata[50, 50] = True
    drawing, _ = draw(made.write(path), nodata=nodata)
    assert (drawing.mask[:, :10] == IGNORE).all()
    assert (drawing.mask == IGNORE).sum() == 10 * SIDE + 1
    [(lon, _)] = degrees([(16.0, 16.0)])
    drawing, _ = draw(path, coverage=(3.0, 51.0, lon, 53.0))
    assert drawing.covered[:, :30].all()
    assert not drawing.covered[:, 34:].any()
    assert (drawing.mask[:, 34:] == IGNORE).all()


def test_buildings_have_their_holes_and_what_stands_in_these(path: Path) -> None:
    made = Pbf()
    outer, hole = made.way(SQUARE, BUILDING, closed=True), made.way(HOLE, {}, closed=True)
    made.way([(14.0, 14.0), (19.0, 14.0), (19.0, 19.0), (14.0, 19.0)], BUILDING, closed=True)
    made.relation([(outer, "outer"), (hole, "inner")], {"type": "multipolygon", **BUILDING})
    drawing, found = draw(made.write(path), BUILDINGS)
    assert share(drawing.mask) == 16.0**2 - 8.0**2 + 5.0**2
    assert (len(found.features()), found.left_out) == (2, {})


def test_outer_rings_may_be_in_pieces(path: Path) -> None:
    made = Pbf()
    first, second = made.way(SQUARE[:3], {}), made.way([SQUARE[2], SQUARE[3], SQUARE[0]], {})
    made.relation([(first, "outer"), (second, "outer")], {"type": "multipolygon", **BUILDING})
    assert share(draw(made.write(path), BUILDINGS)[0].mask) == 16.0**2


def test_an_open_ring_is_ignored_ground_and_counted(path: Path) -> None:
    made = Pbf()
    part = made.way(SQUARE[:3], {})
    made.relation([(part, "outer")], {"type": "multipolygon", **BUILDING})
    drawing, found = draw(made.write(path), BUILDINGS)
    assert found.left_out == {"multipolygon not closed": 1}
    assert share(drawing.mask, IGNORE) == pytest.approx(16.0**2 / 2, rel=0.05)
    assert share(drawing.mask) == 0


def test_a_relation_to_a_missing_way_is_ignored_ground_and_counted(path: Path) -> None:
    made = Pbf()
    part = made.way(SQUARE, {}, closed=True)
    made.relation([(part, "outer"), (99, "inner")], {"type": "multipolygon", **BUILDING})
    drawing, found = draw(made.write(path), BUILDINGS)
    assert found.left_out == {"way missing in the extract": 1}
    assert share(drawing.mask, IGNORE) == 16.0**2


def test_ways_to_missing_nodes_keep_their_known_parts(path: Path) -> None:
    made = Pbf()
    made.way([(0, 16), (8, 16), (16, 16), (24, 16), (32, 16)], RESIDENTIAL, missing=[2])
    drawing, found = draw(made.write(path))
    assert found.left_out == {"node missing in the extract": 1}
    assert drawing.length_m == pytest.approx(16.0, abs=0.1)
    made = Pbf()
    made.way(SQUARE, BUILDING, closed=True, missing=[1])
    drawing, found = draw(made.write(path), BUILDINGS)
    assert found.left_out == {"node missing in the extract": 1}
    assert share(drawing.mask) == 0


def test_an_outline_that_crosses_itself_becomes_its_lobes(path: Path) -> None:
    made = Pbf()
    made.way([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]], BUILDING, closed=True)
    made.way([(1, 1), (2, 2)], BUILDING)
    made.way([(1, 1), (1, 1)], BUILDING, closed=True)
    drawing, found = draw(made.write(path), BUILDINGS)
    assert share(drawing.mask) == pytest.approx(16.0**2 / 2, rel=0.1)
    assert found.repaired == 1
    assert found.left_out == {"outline not closed": 1, "way without length": 1}


def test_small_buildings_are_left_out(path: Path) -> None:
    made = Pbf()
    made.way([(8, 8), (12, 8), (12, 12), (8, 12)], BUILDING, closed=True)
    drawing, found = draw(made.write(path), BUILDINGS)
    assert (share(drawing.mask), found.left_out) == (0, {"smaller than the least area": 1})


def test_ways_across_the_antimeridian_are_drawn_on_both_sides(path: Path) -> None:
    place = ground("EPSG:32701", Grid(x_left_m=166_000, y_top_m=8e6, gsd_m=0.5, height=64, width=64))
    west, south, east, north = place.degrees
    assert (west, east) != (-180.0, 180.0)
    at = (south + north) / 2
    made = Pbf()
    made.way_in_degrees([(179.99, at), (-179.99, at)], RESIDENTIAL)
    made.way_in_degrees([(20.0, at), (20.1, at)], RESIDENTIAL)
    found = extract_of(made.write(path)).read(ROADS, place)
    features = found.features().in_crs("EPSG:32701", "test")
    assert shapely.length(features.geometry).max() < 3_000  # not around the Earth


def test_no_road_at_all_is_no_error(path: Path) -> None:
    drawing, found = draw(Pbf().write(path))
    assert (drawing.mask == BACKGROUND).all()
    assert (found.seen, len(found.features())) == (0, 0)


def test_a_truncated_file_is_named(path: Path) -> None:
    made = Pbf()
    for k in range(200):
        made.way([(0, k), (32, k)], {"highway": "residential", "name": f"street {k}"})
    content = made.write(path).read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(BadDataError, match=r"city\.osm\.pbf cannot be read"):
        read(path)


def test_another_file_than_the_pinned_one_is_refused(path: Path, tmp_path: Path) -> None:
    Pbf().write(path)
    with pytest.raises(BadDataError, match="has the SHA-256"):
        extract_of(path, sha256="0" * 64).verify()
    with pytest.raises(MissingInputError, match="is not there"):
        extract_of(tmp_path / "none.pbf").verify()
    other = tmp_path / "words.pbf"
    other.write_text("words")
    with pytest.raises(BadDataError, match="neither OpenStreetMap PBF, GeoPackage nor GeoJSON"):
        extract_of(other).verify()


def test_a_file_of_unknown_coverage_needs_one(path: Path) -> None:
    with pytest.raises(ParameterError, match="nothing says which ground"):
        draw(Pbf().write(path, box=None))


def test_the_record_names_source_date_and_credit(path: Path) -> None:
    extract = extract_of(Pbf().write(path))
    record = extract.record(read(path))
    assert record["credit"].startswith("© OpenStreetMap contributors, ODbL 1.0")
    assert (record["date"], record["format"], record["sha256"]) == ("2019-08-01", "pbf", extract.sha256)
