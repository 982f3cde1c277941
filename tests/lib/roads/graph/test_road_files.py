from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.geo.crs import move
from components.lib.roads.graph.build import build_graph
from components.lib.roads.graph.faults import repaired
from components.lib.roads.graph.files import read_roads
from components.lib.roads.graph.frame import common_frame
from components.lib.roads.graph.wkt_csv import parse_lines
from tests.hostile import UTM, geojson, nested

LON_LAT = "urn:ogc:def:crs:OGC:1.3:CRS84"


def drawn(*points: tuple[float, float], kind: str = "LineString") -> dict[str, Any]:
    return {"type": kind, "coordinates": [list(p) for p in points]}


ROAD = drawn((500000.0, 5750000.0), (500100.0, 5750000.0))

Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return written


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("LINESTRING (0 0, 1 1)", 1),
        ("linestring(0 0,1 1)", 1),
        ("LINESTRING (0 0 5, 1 1 5)", 1),
        ("LINESTRING Z (0 0 5, 1 1 5)", 1),
        ("MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", 2),
        ("LINESTRING EMPTY", 0),
    ],
)
def test_text_that_draws(text: str, parts: int) -> None:
    road = parse_lines(text, "line 2")
    assert (len(road.parts), road.problem) == (parts, "")
    assert all(part.shape[1] == 2 for part in road.parts)


@pytest.mark.parametrize(
    "text",
    [
        "None",
        "",
        "POINT (0 0)",
        "LINESTRING (0 0, x 1)",
        "LINESTRING (nan 0, 1 1)",
        "LINESTRING (0, 1 1)",
        "LINESTRING (1e400 0, 1 1)",
        "LINESTRING (0 0, 1 1",
        "LINESTRING ()",
        "GEOMETRYCOLLECTION (" * 9000,
    ],
)
def test_text_that_draws_nothing_tells_why(text: str) -> None:
    road = parse_lines(text, "line 2")
    assert not road.parts
    assert road.problem
    assert len(road.problem) < 200


@pytest.mark.parametrize(
    ("texts", "kinds", "left"),
    [
        (["LINESTRING (0 0, 9 0, 9.001 0, 20 0)"], {"close_vertices": 1}, 1),
        (["LINESTRING (0 0, 0 0)"], {"close_vertices": 1, "one_point_line": 1}, 0),
        (["LINESTRING (5 5)"], {"one_point_line": 1}, 0),
        (["LINESTRING (0 0, 9 0)", "LINESTRING (9 0, 0 0)"], {"repeated_section": 1}, 1),
        (["LINESTRING (0 0, 9 0, 0 0)"], {"repeated_section": 1}, 1),
        (["LINESTRING (0 0, 9 0)", "LINESTRING (5 9, 0 0, 9 0, 9 9)"], {"repeated_section": 1}, 3),
        (["LINESTRING EMPTY", "LINESTRING (0 0, 9 0)"], {"empty_beside_roads": 1}, 1),
        (["LINESTRING EMPTY"], {}, 0),
        (["MULTILINESTRING ((0 0, 9 0), (20 0, 30 0))"], {"multi_line": 1}, 2),
        (["LINESTRING Z (0 0 1, 9 0 1)"], {"dimension_tag": 1}, 1),
        (["LINESTRING (0 0 1, 9 0 1)"], {}, 1),
        (["None"], {"unreadable": 1}, 0),
        (["LINESTRING (0 0, 0.05 0, 9 0)"], {}, 1),  # shorter than 0.1 px: a self-loop, no fault
    ],
)
def test_repairs_are_counted(texts: list[str], kinds: dict[str, int], left: int) -> None:
    found = repaired([parse_lines(text, "line") for text in texts], close=0.01, grid=0.1)
    assert found.counts() == kinds
    assert len(found.lines) == left
    assert all(len(line) >= 2 for line in found.lines)


def test_a_csv_needs_no_header_and_no_quotes(write: Write) -> None:
    plain = write("a.csv", b"# made by hand\ni1,LINESTRING (0 0, 9 0)\n\ni2,LINESTRING EMPTY\n")
    quoted = write("b.csv", b'ImageId,WKT_Pix\ni1,"LINESTRING (0 0, 9 0)"\ni2,LINESTRING EMPTY\n')
    for path in (plain, quoted):
        images = read_roads(path).images
        assert [len(road.parts) for road in images["i1"]] == [1]
        assert [len(road.parts) for road in images["i2"]] == [0]
        assert not any(road.problem for roads in images.values() for road in roads)


def test_features_that_are_no_roads_are_left_out_and_counted(write: Write) -> None:
    stop = {"type": "Feature", "properties": {"highway": "stopline"}, "geometry": ROAD}
    none = {"type": "Feature", "properties": {"highway": "None", "lanes": "None"}, "geometry": ROAD}
    document = json.loads(geojson(ROAD, {"type": "Point", "coordinates": [0, 0]}, None, drawn(), crs=UTM))
    document["features"] += [stop, none]
    found = read_roads(write("a.geojson", json.dumps(document).encode()))
    assert dict(found.left_out) == {"points": 1, "without_geometry": 2, "stop_lines": 1}
    assert len(found.images[""]) == 2
    assert not read_roads(write("b.geojson", b"")).images[""]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        {"type": "LineString", "coordinates": "None"},
        {"type": "LineString", "coordinates": [["0", "0"], ["1", "1"]]},
        {"type": "LineString", "coordinates": [[True, False], [0, 1]]},
        {"type": "LineString", "coordinates": [[float("nan"), 0], [1, 1]]},
        {"type": "LineString", "coordinates": [[10**400, 0], [1, 1]]},
        {"type": "LineString", "coordinates": nested([0, 0], 400)},
        {"type": "LineString", "coordinates": {"x": 0}},
        {"type": ["LineString"], "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
        [1, 2],
        "LINESTRING (0 0, 1 1)",
    ],
)
def test_a_bad_feature_tells_why(write: Write, geometry: Any) -> None:
    (road,) = read_roads(write("a.geojson", geojson(geometry))).images[""]
    assert road.problem
    assert not road.parts


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.geojson", b"{", BadDataError),
        ("a.geojson", b"[" * 100_000, BadDataError),
        ("a.geojson", b'{"type": "FeatureCollection"}', BadDataError),
        ("a.geojson", b"\xff\xfe{}", BadDataError),
        ("a.geojson", geojson(ROAD, crs="/etc/hostname"), BadDataError),
        ("a.geojson", geojson(ROAD, crs=[1]), BadDataError),
        ("a.csv", b"", BadDataError),
        ("a.csv", b"Image,Line\ni1,x\n", BadDataError),
        ("a.csv", b"ImageId,WKT_Pix\n,LINESTRING EMPTY\n", BadDataError),
        ("a.shp", b"", ParameterError),
    ],
)
def test_a_hostile_file_is_a_named_error(
    write: Write, name: str, content: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"a\.(geojson|csv|shp)"):
        read_roads(write(name, content))


def test_a_missing_file_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="is missing"):
        read_roads(tmp_path / "a.csv")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(MissingInputError, match="no regular file"):
        read_roads(tmp_path / "b.csv")


def test_degrees_and_metres_meet_in_the_metres(write: Write) -> None:
    xy = np.array(ROAD["coordinates"])
    degrees = move(xy, "EPSG:32631", "EPSG:4326", "x")
    projected = read_roads(write("a.geojson", geojson(ROAD)))
    geographic = read_roads(write("b.geojson", geojson(drawn(*map(tuple, degrees.tolist())), crs=LON_LAT)))
    silent = read_roads(write("c.geojson", geojson(drawn(*map(tuple, degrees.tolist())), crs=None)))
    for first, second in ((projected, geographic), (geographic, projected), (silent, geographic)):
        frame = common_frame(first, second)
        assert frame.name == "EPSG:32631"
        assert bool(frame.warnings) == (first is silent)
        for file in (first, second):
            (road,) = frame.roads(file, 1.0, 1.0)[""]
            assert road.parts[0] == pytest.approx(xy, abs=1e-3)


def test_plane_coordinates_without_a_crs_are_pixels(write: Write) -> None:
    plane = read_roads(write("a.geojson", geojson(drawn((0, 0), (1000, 0)), crs=None)))
    small = read_roads(write("b.geojson", geojson(drawn((1, 1), (5, 1)), crs=None)))
    assert common_frame(plane, small).name == "pixels"
    assert common_frame(small, small).name == "pixels"
    with pytest.raises(BadDataError, match="states no CRS"):
        common_frame(plane, read_roads(write("c.geojson", geojson(ROAD))))
    with pytest.raises(ParameterError, match="one is a CSV"):
        common_frame(plane, read_roads(write("d.csv", b"ImageId,WKT_Pix\ni,LINESTRING EMPTY\n")))


@pytest.mark.parametrize(
    "geometry", [ROAD, drawn((0.0, 0.0), (9.0, 1.0))], ids=["metres under CRS84", "too wide"]
)
def test_degrees_that_cannot_be_are_refused(write: Write, geometry: dict[str, Any]) -> None:
    file = read_roads(write("a.geojson", geojson(geometry, crs=LON_LAT)))
    with pytest.raises(BadDataError, match=r"a\.geojson"):
        common_frame(file, file)


def test_a_graph_keeps_shapes_and_lengths() -> None:
    line = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 14.0]])
    branch = np.array([[3.0, 14.0], [13.0, 14.0]])
    tail = np.array([[3.0, 14.0], [3.0, 20.0]])
    graph = build_graph([branch, line[::-1], tail], 0.1)
    assert graph.nodes.tolist() == [[0, 0], [3, 14], [13, 14], [3, 20]]
    assert sorted(graph.lengths.tolist()) == [6.0, 10.0, 15.0]
    ring = np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 0.0]])
    assert len(build_graph([ring]).nodes) == 3
