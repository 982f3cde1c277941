"""True roads of Las Vegas drawn as masks, traced, and scored against themselves.

The pixels are those of SpaceNet 3 there, 2.7e-6 degrees: about 0.24 m along columns and 0.30 m along rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.geoarray import PixelTransform
from components.lib.roads.apls.rules import JAVA, PIXEL_M
from components.lib.roads.apls.score import score_lines
from components.lib.roads.graph.faults import repaired
from components.lib.roads.graph.files import read_roads
from components.lib.roads.graph.frame import common_frame
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.trace import trace_roads
from components.lib.roads.writing.geojson import write_geojson

pytestmark = pytest.mark.real_data

UTM = "EPSG:32611"
STEP, SIDE_PX = 2.7e-6, 1300
TILES = ("img0", "img99", "img991", "img999")


def drawn(truth: Path, half_width_m: float, transform: Affine) -> RoadMask:
    lines = [part for road in read_roads(truth).images[""] for part in road.parts]
    wide = shapely.buffer(
        [shapely.LineString(move(line, LON_LAT, UTM, "it")) for line in lines], half_width_m
    )
    back = shapely.transform(wide, lambda xy: move(xy, UTM, LON_LAT, "it"))
    road = rasterize([(shape, 1) for shape in back], (SIDE_PX, SIDE_PX), transform=transform, dtype="uint8")
    return RoadMask(road=road > 0, transform=PixelTransform(*transform[:6]), crs=LON_LAT)


def place(folder: Path, truth: Path, tile: str) -> Affine:
    """Transform of the tile: of its image where there is one, else from the north-west of its roads."""
    if tile == "img0":
        with rasterio.open(folder / f"RGB-PanSharpen_AOI_2_Vegas_{tile}.tif") as image:
            return image.transform
    xy = np.concatenate([part for road in read_roads(truth).images[""] for part in road.parts])
    return Affine(STEP, 0.0, xy[:, 0].min(), 0.0, -STEP, xy[:, 1].max())


@pytest.mark.parametrize(("half_width_m", "bound"), [(2.0, 0.97), (4.0, 0.95)])
def test_traced_roads_are_the_true_ones(
    real_data: Path, tmp_path: Path, half_width_m: float, bound: float
) -> None:
    folder = real_data / "roads_vegas"
    for tile in TILES:
        truth = folder / "truth" / f"AOI_2_Vegas_{tile}.geojson"
        mask = drawn(truth, half_width_m, place(folder, truth, tile))
        assert mask.pixel_m() == pytest.approx((0.243, 0.300), abs=0.001)
        roads = trace_roads(mask)
        write_geojson(tmp_path / f"{tile}.geojson", roads)
        files = read_roads(truth), read_roads(tmp_path / f"{tile}.geojson")
        frame = common_frame(*files)
        true, ours = (
            repaired(frame.roads(file, 1.0, 1.0 / PIXEL_M)[""], close=JAVA.close, grid=JAVA.grid)
            for file in files
        )
        assert not ours.faults
        found = score_lines(true.lines, ours.lines, JAVA)
        assert found.apls > bound, (tile, found)
        assert np.median(roads.width_m) == pytest.approx(2 * half_width_m, abs=0.5)
