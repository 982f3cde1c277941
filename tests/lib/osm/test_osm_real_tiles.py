"""OpenStreetMap against the truth of real tiles of Las Vegas: the known figures at a half width of 4 m."""

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
        assert right / mask.sum() == pytest.approx(float(row["osm_precision"]), abs=0.01)
        assert right / true.sum() == pytest.approx(float(row["osm_recall"]), abs=0.01)
        assert right / (mask | true).sum() == pytest.approx(float(row["iou_4m_buffer"]), abs=0.01)
        assert ours.length_m == pytest.approx(float(row["osm_len_m"]), rel=0.005)
        assert left_out.get("unknown class", 0) == int(row["osm_stoplines_dropped"])
