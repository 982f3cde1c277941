from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.geo.footprints import (
    Footprint,
    Labels,
    clip,
    read_building_csv,
    read_geojson,
    to_crs,
    to_pixels,
)
from components.lib.geo.geometries import repair
from components.lib.geo.raster import read_geotiff
from components.lib.geo.rasterise import rasterise_instances, rasterise_targets

UTM = "urn:ogc:def:crs:EPSG::32631"
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}
BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}


def collection(*geometries: Any, crs: str | None = UTM, properties: dict[str, Any] | None = None) -> bytes:
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": properties, "geometry": g} for g in geometries],
    }
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    return json.dumps(document).encode()


def test_label_file_gives_its_polygons_crs_and_height() -> None:
    labels = read_geojson(collection(SQUARE, properties={"Mean_Building_Height": 7.5}), "a.geojson")

    assert labels.crs == "EPSG:32631"
    assert [f.polygon.area for f in labels.footprints] == [16.0]
    assert labels.footprints[0].height_m == 7.5


@pytest.mark.parametrize("content", [b"", b"\n ", collection()])
def test_empty_label_file_is_a_tile_without_buildings(content: bytes) -> None:
    assert read_geojson(content, "a.geojson").footprints == ()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"3", b'{"type": "Feature"}', b'{"features": {}}', b"[" * 100_000]
)
def test_what_is_no_label_file_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(BadDataError, match=r"tile_7\.geojson"):
        read_geojson(content, "tile_7.geojson")


def test_bow_tie_keeps_both_lobes() -> None:
    labels = read_geojson(collection(BOW_TIE), "a.geojson")

    assert labels.repaired == 1
    assert sorted(f.polygon.area for f in labels.footprints) == [4.0, 4.0]
    assert all(f.polygon.is_valid for f in labels.footprints)


def test_multi_part_geometry_gives_one_footprint_per_part() -> None:
    far = [[[10, 0], [12, 0], [12, 2], [10, 2], [10, 0]]]
    parts = {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"], far]}

    assert [f.polygon.area for f in read_geojson(collection(parts), "a").footprints] == [16.0, 4.0]


@pytest.mark.parametrize(
    ("geometry", "dropped"),
    [
        (None, 0),
        ({"type": "Polygon", "coordinates": []}, 0),
        ({"type": "Point", "coordinates": [1, 1]}, 1),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, 1),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [float("nan"), 1], [0, 0]]]}, 1),
        ({"type": "Polygon", "coordinates": "no"}, 1),
        ({"type": "Unheard"}, 1),
        ("POLYGON", 1),
    ],
)
def test_geometry_without_area_is_dropped_and_counted(geometry: Any, dropped: int) -> None:
    labels = read_geojson(collection(geometry, SQUARE), "a.geojson")

    assert len(labels.footprints) == 1
    assert labels.dropped == dropped


def test_third_dimension_is_ignored() -> None:
    ring = [[0, 0, 3], [4, 0, 3], [4, 4, 3], [0, 4, 3], [0, 0, 3]]
    labels = read_geojson(collection({"type": "Polygon", "coordinates": [ring]}), "a.geojson")

    assert not labels.footprints[0].polygon.has_z


def test_repair_of_nothing_is_nothing() -> None:
    assert repair(None) == ([], False)
    assert repair(shapely.Polygon()) == ([], False)


def test_summary_csv_tells_empty_tiles_from_unknown_ones() -> None:
    content = (
        b"ImageId,TileBuildingId,PolygonWKT_Pix,Mean_Building_Height\n"
        b'a_tile_1,0,"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))",6.5\n'
        b'a_tile_1,1,"POLYGON ((8 0, 12 0, 12 4, 8 4, 8 0))",\n'
        b"a_tile_2,-1,POLYGON EMPTY,\n"
        b"a_tile_3,0,POLYGON((,\n"
    )

    labels = read_building_csv(content, "Buildings.csv")

    assert set(labels) == {"a_tile_1", "a_tile_2", "a_tile_3"}
    assert labels["a_tile_1"].footprints[0].height_m == 6.5
    assert math.isnan(labels["a_tile_1"].footprints[1].height_m)
    assert labels["a_tile_2"] == Labels(empty=1)
    assert labels["a_tile_3"].dropped == 1


@pytest.mark.parametrize("content", [b"", b"ImageId,PolygonWKT_Geo\n1,2\n", b'a,b\n"'])
def test_what_is_no_summary_csv_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(BadDataError, match=r"Buildings\.csv"):
        read_building_csv(content, "Buildings.csv")


def test_lon_lat_labels_are_brought_into_the_rasters_crs() -> None:
    rotterdam = shapely.box(4.34, 51.89, 4.3405, 51.8905)
    moved = to_crs(Labels((Footprint(rotterdam),)), "EPSG:32631", "a.geojson")

    west, south, _, _ = moved.footprints[0].polygon.bounds
    assert west == pytest.approx(592_222, abs=100)
    assert south == pytest.approx(5_749_600, abs=100)


def test_labels_in_metres_without_a_crs_stay_where_they_are() -> None:
    labels = Labels((Footprint(shapely.box(592_000, 5_750_000, 592_010, 5_750_010)),))

    assert to_crs(labels, "EPSG:32631", "a.geojson") is labels


@pytest.mark.parametrize("crs", ["EPSG:999999", "nonsense"])
def test_unknown_crs_is_refused(crs: str) -> None:
    with pytest.raises(BadDataError, match=r"a\.geojson"):
        to_crs(Labels((Footprint(shapely.box(0, 0, 1, 1)),), crs), "EPSG:32631", "a.geojson")


def test_pixels_count_from_the_north_west_corner_downwards() -> None:
    transform = Affine(0.5, 0, 100, 0, -0.5, 200)
    assert to_pixels(shapely.box(101, 198, 103, 199), transform).bounds == (2.0, 2.0, 6.0, 4.0)


def test_clipping_leaves_an_inner_polygon_bit_identical_and_cuts_an_outer_one() -> None:
    inside, across = shapely.box(0.1, 0.2, 9.9, 10), shapely.box(-3, 2, 4, 5)

    assert clip(inside, 10, 10)[0] is inside
    assert clip(across, 10, 10)[0].equals(shapely.box(0, 2, 4, 5))
    assert clip(shapely.box(20, 20, 30, 30), 10, 10) == []
    u_shape = shapely.Polygon([(2, -5), (8, -5), (8, 5), (6, 5), (6, -1), (4, -1), (4, 5), (2, 5)])
    assert len(clip(u_shape, 10, 10)) == 2


@pytest.mark.real_data
def test_real_footprints_rasterise_to_the_given_mask_in_every_pixel(real_data: Path) -> None:
    folder = real_data / "spacenet4_atlanta"
    rows = list(csv.DictReader(io.StringIO((folder / "sample.csv").read_text())))
    (labels,) = read_building_csv((folder / "sample.csv").read_bytes(), "sample.csv").values()
    given = read_geotiff((folder / "sample_fp_mask.tif").read_bytes(), "sample_fp_mask.tif").array[0] > 0
    polygons = [f.polygon for f in labels.footprints]

    assert len(polygons) == len(rows) == 151
    assert labels.repaired == labels.dropped == 0
    np.testing.assert_array_equal(rasterise_instances(polygons, 900, 900) > 0, given)
    target = rasterise_targets(polygons, 900, 900, edge_px=3, contact_px=9)
    np.testing.assert_array_equal(target[..., 0], given)
    assert not (target[..., 1] > target[..., 0]).any()


@pytest.mark.real_data
def test_real_geojson_lies_on_its_real_tile(real_data: Path) -> None:
    folder = real_data / "spacenet4_atlanta"
    tile = read_geotiff((folder / "sample_geotiff.tif").read_bytes(), "sample_geotiff.tif")
    labels = read_geojson((folder / "geotiff_labels.geojson").read_bytes(), "geotiff_labels.geojson")
    labels = to_crs(labels, str(tile.crs), "geotiff_labels.geojson")
    pixels = [to_pixels(f.polygon, tile.transform) for f in labels.footprints]
    inside = [part for polygon in pixels for part in clip(polygon, 900, 900)]
    mask = rasterise_instances(inside, 900, 900)

    assert len(pixels) == 43
    assert labels.crs == "EPSG:32616"
    assert (mask > 0).sum() == pytest.approx(sum(p.area for p in inside), rel=0.01)


@pytest.mark.real_data
def test_real_empty_label_file_holds_no_building(real_data: Path) -> None:
    content = (real_data / "spacenet4_atlanta" / "empty.geojson").read_bytes()
    assert read_geojson(content, "empty.geojson") == Labels()
