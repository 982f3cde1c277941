"""The stage on real files: Rotterdam crops and tile, Atlanta footprints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine

from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.footprints import read_building_csv
from components.lib.geo.grid import GRID_M
from components.lib.geo.raster import read_geotiff
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from components.lib.tasks.labels import target_of
from tests.prepare.tiny_raw import NORTH, SOUTH, Acquisition, Folders, geojson, tif

AIRBORNE = "capella-airborne"
DB_OFFSET = 40.0
"""The crop is in decibels; the release's SAR-Intensity is positive. A constant brings one into the range of
the other; it stands for nothing physical."""


@pytest.mark.real_data
def test_real_sar_and_optical_pair_becomes_a_store(real_data: Path, tmp_path: Path) -> None:
    crops = real_data / "spacenet6" / "crops"
    sar = read_geotiff((crops / "sar_masked.tif").read_bytes(), "sar_masked.tif")
    rgb = read_geotiff((crops / "rgb_unmasked.tif").read_bytes(), "rgb_unmasked.tif")
    data = np.isfinite(sar.array).all(axis=0) & (sar.array != 0).any(axis=0)
    values = np.where(data, sar.array + DB_OFFSET, 0).astype(np.float32)
    flight = Acquisition("real-crops", AIRBORNE)
    for tile, strip in ((1, NORTH), (2, SOUTH)):
        flight.add("SAR-Intensity", tile, tif(values, sar.transform), strip)
        flight.add("PS-RGB", tile, tif(rgb.array, rgb.transform), strip)
        flight.add("Buildings", tile, geojson([]), strip)
    folders = Folders(tmp_path)
    folders.write(flight)
    summary = folders.prepare()
    store = Store.open(folders.store)
    upright, turned = store.layer(AIRBORNE, "sar")

    assert upright.shape == (1800, 1800, 4)  # 200 pixels of 4.5 m on the half-metre grid
    assert store.index["gsd_m"].tolist() == [GRID_M, GRID_M]
    np.testing.assert_array_equal(turned, upright[::-1, ::-1])
    np.testing.assert_array_equal(
        store.layer(AIRBORNE, "optical")[1], store.layer(AIRBORNE, "optical")[0, ::-1, ::-1]
    )
    assert summary["simulated"] is False
    # The centre of each crop pixel keeps its value up to the 8-bit step (92 / 254 dB) and its no-data.
    centre = upright[4::9, 4::9].astype(np.float64)
    np.testing.assert_array_equal((centre > 0).any(axis=-1), data)
    decibel = np.moveaxis((centre - 1) / 254 * 92 - DB_OFFSET, -1, 0)
    inner = data & (sar.array > -DB_OFFSET).all(axis=0)  # below, the fixed scale clips
    assert inner.sum() > 0.95 * data.sum()
    assert np.abs(decibel - sar.array)[:, inner].max() < 0.6 * 92 / 254 + 0.05
    optical = store.layer(AIRBORNE, "optical")[0, 4::9, 4::9]
    inside = (rgb.array > 0).any(axis=0)
    difference = np.abs(optical[..., :3:2].astype(int) - np.moveaxis(rgb.array[[2, 0]], 0, -1).astype(int))
    assert difference[inside].max() <= 1


@pytest.mark.real_data
def test_real_tile_with_real_footprints_is_masked_in_every_pixel(real_data: Path, tmp_path: Path) -> None:
    # No real tile here has SAR, optical and footprints together: Atlanta's footprints are laid over the real
    # Rotterdam optical tile, whose luminance stands in for SAR. What is tested is that nothing moves.
    name = "SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif"
    parsed = SPACENET6.parse(name)
    rgb = read_geotiff((real_data / "spacenet6" / "tile" / name).read_bytes(), name)
    atlanta = real_data / "spacenet4_atlanta"
    given = read_geotiff((atlanta / "sample_fp_mask.tif").read_bytes(), "sample_fp_mask.tif").array[0] > 0
    (labels,) = read_building_csv((atlanta / "sample.csv").read_bytes(), "sample.csv").values()
    flag = dict(
        line.split()
        for line in (real_data / "spacenet6" / "catalogue" / "SAR_orientations.txt").read_text().splitlines()
    )[parsed.strip]
    flight = Acquisition("real-tile", AIRBORNE)
    flight.summaries["SAR_orientations.txt"] = (
        real_data / "spacenet6" / "catalogue" / "SAR_orientations.txt"
    ).read_bytes()
    stand_in = np.repeat(rgb.array.mean(axis=0, keepdims=True, dtype=np.float32) / 3, 4, axis=0)
    flight.add("SAR-Intensity", parsed.tile, tif(stand_in, rgb.transform), parsed.strip)
    flight.add("PS-RGB", parsed.tile, (real_data / "spacenet6" / "tile" / name).read_bytes(), parsed.strip)
    on_map = [_on_map(f.polygon, rgb.transform) for f in labels.footprints]
    flight.add("Buildings", parsed.tile, geojson(on_map), parsed.strip)
    folders = Folders(tmp_path)
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)
    large = [f.polygon for f in labels.footprints if f.polygon.area * GRID_M**2 > 20.0]

    assert store.index["split"].tolist() == ["train"]
    assert store.index["nodata_share"][0] == pytest.approx(0.37, abs=0.005)
    assert store.index["n_buildings"].tolist() == [len(large)]
    assert len(store.truth(parsed.image_id, AIRBORNE)) == len(labels.footprints)
    mask = target_of(store.layer(AIRBORNE, "target")[0]).astype(np.uint8)
    if flag == "1":
        mask = mask[::-1, ::-1]
    small = [f.polygon for f in labels.footprints if f.polygon.area * GRID_M**2 <= 20.0]
    ignore = np.zeros_like(given)
    for polygon in small:
        x0, y0, x1, y1 = (int(v) for v in polygon.bounds)
        ignore[y0 : y1 + 1, x0 : x1 + 1] = True
    np.testing.assert_array_equal((mask > 0)[~ignore], given[~ignore])
    assert ignore.mean() < 0.01
    crops = CropSampler(store, AIRBORNE, np.array([0]), crop=256, batch=4, seed=0).batch(0)
    assert (crops["sar"].any(axis=(1, 2, 3))).all()


def _on_map(polygon: shapely.Polygon, transform: Affine) -> shapely.Polygon:
    return shapely.transform(
        polygon,
        lambda xy: np.column_stack(
            (transform.c + transform.a * xy[:, 0], transform.f + transform.e * xy[:, 1])
        ),
    )
