from __future__ import annotations

import csv
import json
from pathlib import Path

import networkx  # type: ignore[import-untyped]
import numpy as np
import pytest
import shapely

from components.contract.errors import ParameterError
from components.evaluate.apls.command import Choices, score_files
from components.lib.geo.crs import LON_LAT, move
from components.lib.roads.tracing.trace import TracedRoads, trace_roads
from components.lib.roads.writing.attributes import NUMBERS
from components.lib.roads.writing.geojson import write_geojson
from components.lib.roads.writing.graphml import write_graphml
from components.lib.roads.writing.wkt_csv import write_csv
from tests.lib.roads.tracing.masks import UTM, empty, in_degrees, ring, tee, traced


@pytest.fixture(scope="module")
def roads() -> TracedRoads:
    return traced(tee() | ring())


@pytest.fixture(scope="module")
def nothing() -> TracedRoads:
    return traced(empty())


@pytest.mark.parametrize("definition", ["java", "cosmiq"])
@pytest.mark.parametrize("lon_lat", [True, False])
def test_geojson_is_read_back_as_the_same_graph(
    roads: TracedRoads, tmp_path: Path, definition: str, lon_lat: bool
) -> None:
    choices = Choices(definition="java" if definition == "java" else "cosmiq", mode="strict")
    one, other = tmp_path / "one.geojson", tmp_path / "other.geojson"
    write_geojson(one, roads, lon_lat=lon_lat)
    write_geojson(other, roads, lon_lat=False)
    for proposal in (one, other):
        found = score_files(one, proposal, choices)
        assert found["apls"] == pytest.approx(1.0, abs=1e-4 if lon_lat else 1e-12)
        assert found["coordinates"] == UTM


def test_geojson_in_longitude_and_latitude_states_no_crs(roads: TracedRoads, tmp_path: Path) -> None:
    write_geojson(tmp_path / "g.geojson", roads)
    document = json.loads((tmp_path / "g.geojson").read_text())
    assert "crs" not in document
    xy = np.concatenate([feature["geometry"]["coordinates"] for feature in document["features"]])
    back = move(xy, LON_LAT, UTM, "it")
    assert back == pytest.approx(shapely.get_coordinates(roads.on_map()), abs=0.01)
    edge = document["features"][0]["properties"]
    assert list(edge) == ["from", "to", *NUMBERS]
    assert edge["length_m"] == pytest.approx(roads.length_m[0], abs=0.005)


def test_a_graph_in_degrees_is_scored_in_metres(tmp_path: Path) -> None:
    write_geojson(tmp_path / "g.geojson", trace_roads(in_degrees(tee())), lon_lat=False)
    assert "crs" not in json.loads((tmp_path / "g.geojson").read_text())
    found = score_files(tmp_path / "g.geojson", tmp_path / "g.geojson", Choices(definition="java"))
    assert (found["apls"], found["coordinates"]) == (1.0, "EPSG:32611")


def test_graphml_is_a_multigraph_with_shapes(roads: TracedRoads, tmp_path: Path) -> None:
    write_graphml(tmp_path / "g.graphml", roads)
    graph = networkx.read_graphml(tmp_path / "g.graphml", node_type=int, force_multigraph=True)
    assert graph.graph["crs"] == UTM
    places = np.array([(graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in range(len(roads.graph.nodes))])
    assert places == pytest.approx(roads.nodes_on_map(), abs=0.001)
    edges = sorted(graph.edges(keys=True, data=True), key=lambda edge: int(edge[2]))
    assert [sorted(edge[:2]) for edge in edges] == np.sort(roads.graph.ends, axis=1).tolist()
    for (*_, values), shape, length in zip(edges, roads.on_map(), roads.length_m, strict=True):
        drawn = shapely.from_wkt(values["geometry"])
        assert shapely.get_coordinates(drawn) == pytest.approx(shapely.get_coordinates(shape), abs=0.001)
        assert values["length_m"] == pytest.approx(length, abs=0.005)
        expected = values["length_m"] / (values["speed_kmh"] / 3.6)
        assert values["travel_s"] == pytest.approx(expected, abs=0.01)


def test_csv_has_a_row_for_each_road_and_empty_for_none(
    roads: TracedRoads, nothing: TracedRoads, tmp_path: Path
) -> None:
    write_csv(tmp_path / "g.csv", {"b_road": roads, "a_none": nothing})
    with (tmp_path / "g.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["ImageId", "WKT_Pix"], ["a_none", "LINESTRING EMPTY"]]
    assert {row[0] for row in rows[2:]} == {"b_road"}
    drawn = shapely.from_wkt([row[1] for row in rows[2:]])
    assert shapely.equals_exact(drawn, roads.graph.shapes, tolerance=0.01).all()
    found = score_files(tmp_path / "g.csv", tmp_path / "g.csv", Choices(definition="java", mode="strict"))
    assert {image: scores["apls"] for image, scores in found["images"].items()} == {"a_none": 1, "b_road": 1}


def test_an_id_that_no_reader_takes_is_refused(roads: TracedRoads, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no id of an image"):
        write_csv(tmp_path / "g.csv", {"a\nb": roads})
    assert not list(tmp_path.iterdir())


def test_an_empty_graph_is_a_valid_file(nothing: TracedRoads, tmp_path: Path) -> None:
    write_geojson(tmp_path / "g.geojson", nothing)
    write_graphml(tmp_path / "g.graphml", nothing)
    assert json.loads((tmp_path / "g.geojson").read_text())["features"] == []
    assert len(networkx.read_graphml(tmp_path / "g.graphml")) == 0
    found = score_files(tmp_path / "g.geojson", tmp_path / "g.geojson", Choices(definition="java"))
    assert found["apls"] == 1.0
