"""OpenStreetMap against the truth of real tiles of Las Vegas, both 4 m to each side.

How the known figures were drawn is not told: 4 m taken as equal degrees each way gives less than they are on
one tile, 4 m on the ground more on all. So masks are held to buffers of 4 m on the ground, and to the known
figures within 0.035.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.grid import Grid
from components.lib.osm.ground import Ground
from components.lib.osm.masks import Canvas, Drawing
from components.lib.osm.tags import RoadRules
from components.lib.osm.terms import OBJECT
from tests.lib.osm.extracts import extract_of, geojson

pytestmark = pytest.mark.real_data

CRS = "EPSG:32611"
CLASSES = ("residential", "secondary", "primary", "tertiary", "unclassified", "service", "track")
BUFFER = RoadRules(dict.fromkeys(CLASSES, 8.0), frozenset(), frozenset(), 8.0, 4.0)
"""All classes 8 m wide, stop lines unknown: the buffer of the known figures."""


def grid_around(*paths: Path) -> Grid:
    """Grid of 0.5 m around all lines of the files, with room for the buffer."""
    geometries = [shapely.from_geojson(path.read_text()) for path in paths]
    xy = move(shapely.get_coordinates(geometries), LON_LAT, CRS, "tile")
    (west, south), (east, north) = xy.min(axis=0) - 10, xy.max(axis=0) + 10
    height, width = int((north - south) * 2), int((east - west) * 2)
    return Grid(x_left_m=west, y_top_m=north, gsd_m=0.5, height=height, width=width)


def drawn(path: Path, grid: Grid) -> tuple[Drawing, dict[str, int]]:
    east, south = grid.transform @ (grid.width, grid.height)
    ground = Ground(np.array([[grid.x_left_m, south, east, grid.y_top_m]]), CRS)
    extract = extract_of(path, coverage=(-116.0, 35.0, -114.0, 37.0))
    found = extract.read(BUFFER, ground)
    canvas = Canvas(found, extract.covered(found), ground, path.name, min_area_m2=0.0)
    return canvas.draw(0, grid, np.zeros((grid.height, grid.width), dtype=bool)), dict(found.left_out)


def as_extract(truth: Path, folder: Path) -> Path:
    """The truth's roads as if they were of OpenStreetMap, which have no tag there."""
    features = json.loads(truth.read_text())["features"]
    lines = [(shapely.from_geojson(json.dumps(f["geometry"])), {"highway": "residential"}) for f in features]
    return geojson(folder / truth.name, lines)


def buffered(osm: Path, truth: Path) -> tuple[float, float, float]:
    """Precision, recall and IoU of buffers of 4 m, without any pixel."""
    areas = []
    for path in (osm, truth):
        features = json.loads(path.read_text())["features"]
        lines = [
            shapely.from_geojson(json.dumps(f["geometry"]))
            for f in features
            if f["properties"].get("highway") != "stopline"
        ]
        moved = shapely.transform(np.array(lines), lambda xy: move(xy, LON_LAT, CRS, "tile"))
        areas.append(shapely.union_all(shapely.buffer(moved, 4.0)))
    right = areas[0].intersection(areas[1]).area
    return right / areas[0].area, right / areas[1].area, right / areas[0].union(areas[1]).area


def test_precision_and_recall_are_the_known_ones(real_data: Path, tmp_path: Path) -> None:
    roads = real_data / "roads_vegas"
    with (roads / "osm_vs_truth_4m.csv").open() as table:
        known = list(csv.DictReader(table))
    assert len(known) == 3
    for row in known:
        osm, truth = (roads / kind / f"{row['tile']}.geojson" for kind in ("osm", "truth"))
        grid = grid_around(osm, truth)
        ours, left_out = drawn(osm, grid)
        theirs, _ = drawn(as_extract(truth, tmp_path), grid)
        mask, true = ours.mask == OBJECT, theirs.mask == OBJECT
        right = float((mask & true).sum())
        found = (right / mask.sum(), right / true.sum(), right / (mask | true).sum())
        names = ("osm_precision", "osm_recall", "iou_4m_buffer")
        assert found == pytest.approx(buffered(osm, truth), abs=0.003)
        assert found == pytest.approx([float(row[name]) for name in names], abs=0.035)
        assert ours.length_m == pytest.approx(float(row["osm_len_m"]), rel=0.005)
        assert left_out.get("unknown class", 0) == int(row["osm_stoplines_dropped"])
