from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely

from components.contract.errors import MissingInputError
from components.lib.geo.grid import GRID_M
from components.lib.geo.orientation import align
from components.lib.geo.rasterise import rasterise_targets
from components.lib.geo.vectorise import vectorise
from components.lib.store.layout import ROADS_FILE
from components.lib.store.store import Store
from components.lib.tasks.labels import BUILDING_BAND, pack_masks, target_of
from tests.prepare.tiny_raw import (
    AIRBORNE,
    NORTH,
    PARAMETERS,
    SIDE,
    SOUTH,
    SPACEBORNE,
    WEST,
    Acquisition,
    Folders,
    boxes,
    corner,
    geojson,
    image_id,
    rgb_values,
    sar_values,
    tif,
)

HOUSES = ((10, 20, 26, 34), (30, 20, 44, 34), (50, 50, 64, 64))


def expected_sar(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    scaled = 1 + np.rint(np.clip(values / np.float32(92), 0, 1) * 254)
    return np.moveaxis(np.where((values != 0).any(axis=0), scaled, 0), 0, -1).astype(np.uint8)


def test_layers_hold_the_tiles_aligned(folders: Folders) -> None:
    flight = Acquisition()
    houses = boxes(corner(WEST), *HOUSES)
    flight.add_tile(1, WEST, strip=NORTH, polygons=houses)
    flight.add_tile(2, WEST, strip=SOUTH, polygons=houses)
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)
    upright = rasterise_targets(
        [shapely.box(*house) for house in HOUSES], SIDE, SIDE, edge_px=2, contact_px=9
    )

    for row, (tile, strip, flag) in enumerate([(1, NORTH, 0), (2, SOUTH, 1)]):
        entry = store.index.set_index("image_id").loc[image_id(tile, strip)]
        assert (entry["row"], entry["orientation"], entry["n_buildings"]) == (row, flag, 3)
        assert entry["nodata_share"] == pytest.approx(1 / 8)
        np.testing.assert_array_equal(
            store.layer(AIRBORNE, "sar")[row], align(expected_sar(sar_values(tile)), flag)
        )
        brrg = np.moveaxis(rgb_values(tile)[[2, 0, 0, 1]], 0, -1)
        np.testing.assert_array_equal(store.layer(AIRBORNE, "optical")[row], align(brrg, flag))
        np.testing.assert_array_equal(store.layer(AIRBORNE, "target")[row], pack_masks(align(upright, flag)))


def test_perfect_mask_vectorises_to_the_truth_whatever_the_orientation(folders: Folders) -> None:
    flight = Acquisition()
    for tile, strip in ((1, NORTH), (2, SOUTH)):
        flight.add_tile(tile, WEST, strip=strip, polygons=boxes(corner(WEST), *HOUSES))
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)

    for _, entry in store.index.iterrows():
        stored = store.tile(AIRBORNE, entry["row"], "target")
        mask = target_of(store.layer(AIRBORNE, "target")[entry["row"]]).astype(np.float32)
        perfect = stored.with_values(mask[np.newaxis], (BUILDING_BAND,))
        found = vectorise(perfect, threshold=0.5, min_area_px=10)
        truth = store.truth(entry["image_id"], AIRBORNE)
        assert len(truth) == len(found) == 3
        for polygon in truth:
            # Map coordinates of some 10^6 m keep a pixel coordinate to about 10^-9.
            assert any(polygon.symmetric_difference(other).area < 1e-5 for other in found.geometries)


def test_a_perfect_probability_map_lands_on_the_footprints_on_the_ground(folders: Folders) -> None:
    flight = Acquisition()
    truth = {}
    for tile, strip in ((1, NORTH), (2, SOUTH)):
        transform = corner(WEST + 100 * tile)
        truth[image_id(tile, strip)] = boxes(transform, *HOUSES)
        flight.add_tile(tile, WEST + 100 * tile, strip=strip, polygons=truth[image_id(tile, strip)])
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)

    assert sorted(store.index["orientation"]) == [0, 1]
    for entry in store.index.to_dict("records"):
        stored = store.tile(AIRBORNE, entry["row"], "target")
        mask = target_of(np.moveaxis(stored.values, 0, -1)).astype(np.float32)
        found = vectorise(
            stored.with_values(mask[np.newaxis], (BUILDING_BAND,)), threshold=0.5, min_area_px=10
        )
        assert found.crs == stored.crs == "EPSG:32631"
        assert stored.orientation == entry["orientation"]
        on_map = found.on_map()
        assert len(on_map) == len(HOUSES)
        for house in truth[entry["image_id"]]:
            nearest = min(shapely.hausdorff_distance(house, polygon) for polygon in on_map)
            assert nearest < 0.1 * GRID_M, "a tenth of a pixel, in metres"


def test_pairs_are_joined_by_id_and_not_by_order(folders: Folders) -> None:
    flight = Acquisition()
    for tile in (1, 2, 3):
        flight.add_tile(tile, WEST + 100 * tile)
    flight.files = dict(sorted(flight.files.items(), key=lambda item: (item[0][0], -item[0][2] % 5)))
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)

    for _, entry in store.index.iterrows():
        brrg = np.moveaxis(rgb_values(entry["tile"])[[2, 0, 0, 1]], 0, -1)
        np.testing.assert_array_equal(store.layer(AIRBORNE, "optical")[entry["row"]], brrg)
        assert entry["x_left_m"] == WEST + 100 * entry["tile"]


@pytest.mark.parametrize(
    ("excess_m", "labelled"), [(0.0, 0), (-0.01, 0), (0.01, 1)], ids=["exactly 20 m2", "below", "above"]
)
def test_a_footprint_of_exactly_the_minimum_area_is_not_labelled(
    folders: Folders, excess_m: float, labelled: int
) -> None:
    flight = Acquisition()
    house = shapely.box(WEST + 8, 5_749_980.0, WEST + 13 + excess_m, 5_749_984.0)  # 5 m x 4 m
    flight.add_tile(1, WEST, polygons=[house])
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)

    assert store.index["n_buildings"].tolist() == [labelled]
    assert bool(store.layer(AIRBORNE, "target")[0].any()) == bool(labelled)
    assert len(store.truth(image_id(1), AIRBORNE)) == 1  # the metric has its own limit


def test_footprints_are_kept_in_original_orientation_with_their_heights(folders: Folders) -> None:
    flight = Acquisition()
    houses = boxes(corner(WEST), (4, 20, 24, 40), (-6, 50, 6, 60))
    flight.add_tile(1, WEST, strip=SOUTH, polygons=houses)
    flight.summaries["SN6_Train_AOI_11_Rotterdam_Buildings.csv"] = (
        "ImageId,TileBuildingId,PolygonWKT_Pix,Mean_Building_Height\n"
        f'{image_id(1, SOUTH)},7,"POLYGON ((4 20, 24 20, 24 40, 4 40, 4 20))",9.25\n'
    ).encode()
    folders.write(flight)
    folders.prepare()
    footprints = Store.open(folders.store).footprints
    polygons = shapely.from_wkt(footprints["wkt_px"].to_numpy(object))

    assert footprints["area_px"].tolist() == pytest.approx([400, 60])
    assert footprints["building_id"].tolist() == [0, 1]
    assert footprints["height_m"][0] == 9.25
    assert math.isnan(footprints["height_m"][1])
    assert shapely.bounds(polygons[0]).tolist() == pytest.approx([4, 20, 24, 40])
    assert shapely.bounds(polygons[1]).tolist() == pytest.approx([0, 50, 6, 60])  # cut at the tile's edge
    assert not list(folders.store.rglob(ROADS_FILE)), "a store of buildings has the files of before"


def test_coarser_sensor_lands_on_the_half_metre_grid(folders: Folders) -> None:
    side, gsd = SIDE // 2, 2 * GRID_M
    transform = corner(WEST, gsd=gsd)
    values = np.zeros((2, side, side), dtype=np.float32)
    values[0, 8:], values[1, 8:] = 46.0, 24.0
    flight = Acquisition("tiny-spaceborne", SPACEBORNE)
    flight.add("SAR-Intensity", 1, tif(values, transform))
    flight.add("Buildings", 1, geojson(boxes(transform, (4, 10, 12, 18))))
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)
    sar = store.layer(SPACEBORNE, "sar")[0]

    assert sar.shape == (SIDE, SIDE, 4)
    assert not sar[:16].any()
    # HH, HV, VH, VV borrow HH, HV, HV, HH; no-data does not darken the first valid row.
    assert np.unique(sar[16:].reshape(-1, 4), axis=0).tolist() == [[128, 67, 67, 128]]
    seen = target_of(store.layer(SPACEBORNE, "target")[0])
    assert seen[20:36, 8:24].all()
    assert seen.sum() == 16 * 16
    assert store.index["gsd_m"].tolist() == [GRID_M]
    assert not store.index["has_optical"].any()
    with pytest.raises(MissingInputError, match="optical"):
        store.layer(SPACEBORNE, "optical")


def test_summary_csv_stands_in_for_a_missing_label_file(folders: Folders) -> None:
    gsd = 2 * GRID_M
    flight = Acquisition("tiny-spaceborne", SPACEBORNE)
    for tile in (1, 2, 3):
        flight.add("SAR-Intensity", tile, tif(sar_values(tile, 2, SIDE // 2), corner(WEST, gsd=gsd)))
    flight.summaries["SN6_Train_AOI_11_Rotterdam_Buildings.csv"] = (
        "ImageId,TileBuildingId,PolygonWKT_Pix,Mean_Building_Height\n"
        f'{image_id(1)},0,"POLYGON ((4 10, 12 10, 12 18, 4 18, 4 10))",5\n'
        f"{image_id(2)},-1,POLYGON EMPTY,\n"
    ).encode()
    folders.write(flight)
    summary = folders.prepare()
    store = Store.open(folders.store)

    # The CSV counts pixels of the 1 m tile, the store pixels of the grid; tile 3 is listed nowhere.
    assert store.index["image_id"].tolist() == [image_id(1), image_id(2)]
    assert store.index["n_buildings"].tolist() == [1, 0]
    assert store.truth(image_id(1), SPACEBORNE)[0].bounds == (8, 20, 24, 36)
    assert summary["excluded"] == {"no labels": 1}


def test_sensor_without_any_labels_is_kept_without_targets(folders: Folders) -> None:
    flight = Acquisition("tiny-spaceborne", SPACEBORNE)
    flight.add("SAR-Intensity", 1, tif(sar_values(1, 2, SIDE // 2), corner(WEST, gsd=2 * GRID_M)))
    folders.write(flight)
    folders.prepare()
    store = Store.open(folders.store)

    assert len(store.index) == 1
    with pytest.raises(MissingInputError, match="target"):
        store.layer(SPACEBORNE, "target")


def test_quarantined_and_unpaired_tiles_stay_out(folders: Folders) -> None:
    flight = Acquisition()
    for tile in (1, 2, 3, 4):
        flight.add_tile(tile, WEST + 100 * tile)
    flight.add("SAR-Intensity", 2, b"damaged")
    del flight.files["PS-RGB", NORTH, 3]
    del flight.files["SAR-Intensity", NORTH, 4]
    folders.write(flight, quarantined=[(flight.name, image_id(2))])
    summary = folders.prepare()

    assert Store.open(folders.store).index["image_id"].tolist() == [image_id(1)]
    assert summary["excluded"] == {"no SAR tile": 1, "no optical tile": 1, "quarantined": 1}


def test_zero_byte_label_file_is_an_empty_tile(folders: Folders) -> None:
    flight = Acquisition()
    flight.add_tile(1, WEST)
    flight.add("Buildings", 1, b"")
    folders.write(flight)
    folders.prepare()

    assert Store.open(folders.store).index["n_buildings"].tolist() == [0]


def test_nan_and_declared_nodata_are_black(folders: Folders) -> None:
    flight = Acquisition()
    transform = flight.add_tile(1, WEST)
    values = np.full((4, SIDE, SIDE), 40, dtype=np.float32)
    values[1, 5, 5] = np.nan
    values[:, 6, 6] = 0
    values[:3, 7, 7] = 0  # one band is data: so is the pixel
    flight.add("SAR-Intensity", 1, tif(values, transform))
    folders.write(flight)
    folders.prepare()
    sar = Store.open(folders.store).layer(AIRBORNE, "sar")[0]

    black = np.argwhere(~sar.any(axis=-1)).tolist()
    assert black == [[5, 5], [6, 6]]
    assert sar[7, 7].tolist() == [1, 1, 1, 111]


def test_float16_keeps_what_uint8_rounds_away(folders: Folders) -> None:
    flight = Acquisition()
    values = sar_values(1)
    values[:, 20, :4] = [0.0001, 0.5, 92.0, 95.0]  # darkest and brightest that the scale holds, and beyond
    flight.add("SAR-Intensity", 1, tif(values, flight.add_tile(1, WEST)))
    folders.write(flight)
    stored = {}
    for dtype in ("uint8", "float16"):
        folders.prepare(PARAMETERS.model_copy(update={"sar_dtype": dtype}))
        stored[dtype] = np.array(Store.open(folders.store).layer(AIRBORNE, "sar")[0])
        assert stored[dtype].dtype == dtype
    coarse, fine = stored["uint8"].astype(np.float64), stored["float16"].astype(np.float64)

    np.testing.assert_array_equal(fine == 0, coarse == 0)
    assert fine[coarse > 0].min() >= 1
    assert fine.max() == 255
    exact = 1 + np.clip(values / 92, 0, 1) * 254
    black = (values == 0).all(axis=0)
    np.testing.assert_allclose(fine[~black], np.moveaxis(exact, 0, -1)[~black], rtol=2**-11)
    assert 0.4 < np.abs(fine - coarse).max() <= 0.5 + 2**-4
    folders.prepare(PARAMETERS)
    np.testing.assert_array_equal(Store.open(folders.store).layer(AIRBORNE, "sar")[0], stored["uint8"])


def test_processes_give_the_same_store_as_one(folders: Folders, tmp_path: Path) -> None:
    flight = Acquisition()
    for tile in range(1, 8):
        flight.add_tile(tile, WEST + 500 * tile, strip=NORTH if tile % 2 else SOUTH,
                        polygons=boxes(corner(WEST + 500 * tile), *HOUSES))  # fmt: skip
    folders.write(flight)
    folders.prepare(processes=1)
    one = {path.relative_to(folders.store): path.read_bytes() for path in folders.store.rglob("*.*")}
    metrics = folders.metrics.read_text()
    folders.prepare(processes=2)
    two = {path.relative_to(folders.store): path.read_bytes() for path in folders.store.rglob("*.*")}

    assert one == two
    assert folders.metrics.read_text() == metrics


def test_metrics_count_splits_and_leaks(folders: Folders) -> None:
    flight = Acquisition()
    lefts = {1: 592_000.0, 2: 594_355.0, 3: 594_380.0, 4: 595_330.0, 5: 596_000.0}
    for tile, x_left in lefts.items():
        flight.add_tile(tile, x_left, polygons=boxes(corner(x_left), *HOUSES))
    space = Acquisition("tiny-spaceborne", SPACEBORNE)
    transform = corner(595_300.0, gsd=2 * GRID_M)  # group 3, reaching into the test ground of tile 4
    space.add("SAR-Intensity", 1, tif(sar_values(1, 2, SIDE // 2), transform))
    space.add("Buildings", 1, geojson([]))
    folders.write(flight, space)
    summary = folders.prepare()
    index = Store.open(folders.store).index.set_index(["sensor", "tile"])

    assert json.loads(folders.metrics.with_name("details.json").read_text()) == summary
    assert json.loads(folders.metrics.read_text()) == {"tiles": summary["tiles"], "clean": 1}
    assert index.loc[AIRBORNE]["split"].to_dict() == {
        1: "train",
        2: "buffer",
        3: "selection",
        4: "test",
        5: "test",
    }
    assert index.loc[(SPACEBORNE, 1), "split"] == "selection"
    # The second sensor trains (selects) on ground of tile 4, which is therefore clean for nobody.
    assert index.loc[AIRBORNE]["clean"].to_dict() == {1: False, 2: False, 3: False, 4: False, 5: True}
    assert summary["sensors"][AIRBORNE] == {
        "train": 1, "buffer": 1, "selection": 1, "test": 2, "clean": 1, "buildings": 15,
        "nodata_share": pytest.approx(1 / 8),
    }  # fmt: skip
    assert summary["leak"]["sn6-kang"]["tiles"] == 2
    assert summary["leak"]["sn6-kang"]["over_0"] == 0.5
    assert summary["leak"]["sn6-kang-used"]["over_0"] == 0.0
    assert summary["leak"]["sn6-clean"]["over_0"] == 0.0
    assert summary["simulated"] is True
    assert isinstance(Store.open(folders.store).footprints, pd.DataFrame)
