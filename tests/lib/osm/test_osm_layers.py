"""GeoPackage and GeoJSON, also hostile ones, become the same masks or named errors."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from components.contract.errors import BadDataError, ParameterError
from components.lib.osm.terms import OBJECT
from tests.lib.osm.extracts import BUILDINGS, NORTH, WEST, Pbf, degrees, draw, geojson, read

WORLD = (3.0, 51.0, 6.0, 53.0)
LINE = shapely.LineString(degrees([(-10, 16), (42, 16)]))
HOUSE = shapely.Polygon(
    degrees([(8, 8), (24, 8), (24, 24), (8, 24)]), [degrees([(12, 12), (20, 12), (20, 20), (12, 20)])]
)


def test_formats_agree(tmp_path: Path) -> None:
    made = Pbf()
    made.way([(-10, 16), (42, 16)], {"highway": "residential", "lanes": "2"})
    expected = draw(made.write(tmp_path / "a.osm.pbf"))[0].mask
    plain = geojson(tmp_path / "a.geojson", [(LINE, {"highway": "residential", "lanes": 2, "id": "way/1"})])
    table = gpd.GeoDataFrame(
        {"highway": ["residential"], "other_tags": ['"lanes"=>"2","name"=>"a \\"b\\""']},
        geometry=[LINE],
        crs=4326,
    )
    table.to_file(tmp_path / "a.gpkg", layer="lines")
    for path in (plain, tmp_path / "a.gpkg"):
        np.testing.assert_array_equal(draw(path, coverage=WORLD)[0].mask, expected)


def test_another_crs_is_followed(tmp_path: Path) -> None:
    line = shapely.LineString([(WEST - 10, NORTH - 16), (WEST + 42, NORTH - 16)])
    features = [(line, {"highway": "residential"})]
    stated = geojson(tmp_path / "a.geojson", features, "urn:ogc:def:crs:EPSG::32631")
    assert (draw(stated, coverage=WORLD)[0].mask == OBJECT).sum() == 64 * 8
    unstated = geojson(tmp_path / "b.geojson", features)
    with pytest.raises(BadDataError, match=r"b\.geojson has coordinates that are no longitude and latitude"):
        read(unstated)


def test_polygons_keep_their_holes(tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "a.geojson",
        [
            (HOUSE, {"building": "yes"}),
            (LINE, {"building": "yes"}),
            (None, {"building": "yes"}),
            (shapely.Point(degrees([(1, 1)])), {"building": "yes"}),
            (LINE, {"building": "None"}),
        ],
    )
    drawing, found = draw(path, BUILDINGS, coverage=WORLD)
    assert (drawing.mask == OBJECT).sum() == (16**2 - 8**2) * 4
    assert found.left_out == {
        "outline not closed": 1,
        "no geometry": 1,
        "neither line nor polygon": 1,
        "no building": 1,
    }


def test_a_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"highway": ["residential"]}, geometry=[LINE], crs=4326).to_file(path, layer="lines")
    with pytest.raises(ParameterError, match=r"a\.gpkg has no layer 'roads'"):
        read(path, layers=["roads"])
    assert len(read(path, layers=["lines"]).features()) == 1
    with pytest.raises(BadDataError, match="has no layer with a column building"):
        read(path, BUILDINGS)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    whole = geojson(tmp_path / "a.geojson", [(LINE, {"highway": "residential"})]).read_bytes()
    (tmp_path / "cut.geojson").write_bytes(whole[:-20])
    with pytest.raises(BadDataError, match=r"cut\.geojson cannot be read"):
        read(tmp_path / "cut.geojson")
    gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[LINE], crs=4326).to_file(tmp_path / "a.gpkg")
    (tmp_path / "cut.gpkg").write_bytes((tmp_path / "a.gpkg").read_bytes()[:20_000])
    with pytest.raises(BadDataError, match=r"cut\.gpkg cannot be read"):
        read(tmp_path / "cut.gpkg")


def test_an_empty_collection_is_no_error(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", [])
    assert not (draw(path, coverage=WORLD)[0].mask == OBJECT).any()
