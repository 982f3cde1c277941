"""The files of the smallest world, read the way every reader of the real release would."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.io import MemoryFile
from shapely.geometry import shape

from components.contract.errors import ParameterError
from components.lib.datasets.base import Sensor
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.datasets.sensors import get_sensor
from components.simulation.flights import plan_flight
from components.simulation.imaging import TileImages, columns_of, image_column
from components.simulation.parameters import WorldParameters
from components.simulation.release import ReleaseFile, count_files, release_files

AIRBORNE, SPACEBORNE = get_sensor("simulated-airborne"), get_sensor("simulated-spaceborne")
SMALLEST = WorldParameters(seed=7, tiles=12, tile_px=128)
PUBLISHED_MEAN = np.array([28.63, 36.10, 33.84, 26.21])
PUBLISHED_STD = np.array([8.41, 8.27, 8.32, 8.64])


def named(files: list[ReleaseFile], product: str) -> dict[str, bytes]:
    """Content of a product's files by image id."""
    parsed = [(REHEARSAL.parse(f.path.rsplit("/", 1)[1]), f) for f in files if "SummaryData" not in f.path]
    return {name.image_id: f.content for name, f in parsed if name.product == product}


def summary(files: list[ReleaseFile], name: str) -> str:
    return next(f.content for f in files if f.path.endswith("SummaryData/" + name)).decode()


def test_file_tree_is_the_release(airborne: list[ReleaseFile], spaceborne: list[ReleaseFile]) -> None:
    root = "train/AOI_11_Rotterdam/"
    folders = Counter(f.path.removeprefix(root).split("/")[0] for f in airborne)
    assert folders == {
        "SAR-Intensity": 12, "PS-RGB": 12, "PS-RGBNIR": 12, "geojson_buildings": 12, "SummaryData": 2,
    }  # fmt: skip
    assert Counter(f.path.removeprefix(root).split("/")[0] for f in spaceborne) == {
        "SAR-Intensity": 12, "geojson_buildings": 12, "SummaryData": 2,
    }  # fmt: skip
    assert len(airborne) == count_files(AIRBORNE, SMALLEST, "test-airborne")
    assert len(spaceborne) == count_files(SPACEBORNE, SMALLEST, "test-spaceborne")
    for f in airborne:
        if "SummaryData" not in f.path:
            name = REHEARSAL.parse(f.path.rsplit("/", 1)[1])
            written = REHEARSAL.file_name(name.product, name.strip, name.tile)
            assert f.path == f"{root}{REHEARSAL.folder(name.product)}/{written}"


@pytest.mark.parametrize(
    ("product", "bands", "dtype"),
    [("SAR-Intensity", 4, "float32"), ("PS-RGB", 3, "uint8"), ("PS-RGBNIR", 4, "uint8")],
)
def test_rasters_are_laid_out_as_the_real_ones(
    airborne: list[ReleaseFile], product: str, bands: int, dtype: str
) -> None:
    for content in named(airborne, product).values():
        with MemoryFile(content) as memory, memory.open(driver="GTiff") as dataset:
            assert (dataset.count, dataset.height, dataset.width) == (bands, 128, 128)
            assert set(dataset.dtypes) == {dtype}
            assert dataset.crs == rasterio.crs.CRS.from_epsg(32631)
            assert dataset.res == (0.4999964762785847, 0.4999964762785847)
            assert dataset.nodata == 0
            assert dataset.interleaving.value == "BAND"
            assert dataset.block_shapes[0] == (9, 128)
            assert dataset.compression is None


def test_spaceborne_pixels_are_a_metre_over_the_same_extent(spaceborne: list[ReleaseFile]) -> None:
    for content in named(spaceborne, "SAR-Intensity").values():
        with MemoryFile(content) as memory, memory.open(driver="GTiff") as dataset:
            assert (dataset.count, dataset.height, dataset.width) == (2, 64, 64)
            assert dataset.res[0] == SPACEBORNE.gsd_m
            assert dataset.bounds.right - dataset.bounds.left == pytest.approx(64.0, abs=0.01)


def test_odd_tile_sizes_meet_without_a_gap() -> None:
    world = WorldParameters(seed=7, tiles=12, tile_px=65)
    strip = plan_flight(SPACEBORNE, world, "x")[0]
    north, south = image_column(SPACEBORNE, world, "x", strip, columns_of(strip)[0])
    assert north.frame.bounds[1] == pytest.approx(south.frame.bounds[3], abs=1e-6)


def read(content: bytes) -> np.ndarray:
    with MemoryFile(content) as memory, memory.open(driver="GTiff") as dataset:
        values: np.ndarray = dataset.read()
    return values


def test_black_borders_are_shared_by_all_products_and_slanted(airborne: list[ReleaseFile]) -> None:
    depths = set()
    for image_id, content in named(airborne, "SAR-Intensity").items():
        sar = read(content)
        black = sar[0] == 0
        assert ((sar == 0) == black).all()
        for product in ("PS-RGB", "PS-RGBNIR"):
            assert ((read(named(airborne, product)[image_id]) == 0).all(axis=0) == black).all()
        share = black.mean()
        assert 0.02 < share < 0.5
        depths.add(round(float(share), 3))
    assert len(depths) > 4


def test_values_are_within_the_products_range(
    airborne: list[ReleaseFile], spaceborne: list[ReleaseFile]
) -> None:
    for files, sensor in ((airborne, AIRBORNE), (spaceborne, SPACEBORNE)):
        for content in named(files, "SAR-Intensity").values():
            sar = read(content)
            valid = sar[:, sar[0] > 0]
            assert np.isfinite(sar).all()
            assert sensor.valid_range[0] < valid.min()
            assert valid.max() < min(sensor.valid_range[1], 93.0)


def test_orientation_file_names_every_strip_once(airborne: list[ReleaseFile]) -> None:
    lines = summary(airborne, "SAR_orientations.txt").splitlines()
    flags = dict(line.split(" ") for line in lines)
    strips = {image_id.rsplit("_tile_", 1)[0] for image_id in named(airborne, "SAR-Intensity")}
    assert set(flags) == strips
    assert len(flags) == len(lines)
    assert set(flags.values()) == {"0", "1"}


def test_labels_are_valid_polygons_inside_their_tile(airborne: list[ReleaseFile]) -> None:
    images = named(airborne, "SAR-Intensity")
    total = 0
    for image_id, content in named(airborne, "Buildings").items():
        document = json.loads(content)
        assert document["crs"]["properties"]["name"].endswith("EPSG::32631")
        with MemoryFile(images[image_id]) as memory, memory.open(driver="GTiff") as dataset:
            tile = shapely.box(*dataset.bounds).buffer(1e-3)
        for feature in document["features"]:
            polygon = shape(feature["geometry"])
            assert polygon.is_valid
            assert polygon.geom_type == "Polygon"
            assert tile.contains(polygon)
            total += 1
    assert total > 20


@pytest.mark.parametrize("acquisition", ["airborne", "spaceborne"])
def test_summary_csv_agrees_with_the_label_files(acquisition: str, request: pytest.FixtureRequest) -> None:
    files: list[ReleaseFile] = request.getfixturevalue(acquisition)
    table = summary(files, "SN6_Train_AOI_11_Rotterdam_Buildings.csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert list(rows[0]) == [
        "ImageId", "TileBuildingId", "PolygonWKT_Pix", "Mean_Building_Height", "Median_Building_Height",
        "StdDev_Building_Height",
    ]  # fmt: skip
    images = named(files, "SAR-Intensity")
    assert {row["ImageId"] for row in rows} == set(images)
    for image_id, content in named(files, "Buildings").items():
        mine = [row for row in rows if row["ImageId"] == image_id]
        features = json.loads(content)["features"]
        if not features:
            assert [row["PolygonWKT_Pix"] for row in mine] == ["POLYGON EMPTY"]
            continue
        with MemoryFile(images[image_id]) as memory, memory.open(driver="GTiff") as dataset:
            to_pixels = ~dataset.transform
        for row, feature in zip(mine, features, strict=True):
            pixels = shapely.from_wkt(row["PolygonWKT_Pix"])
            world = np.array(feature["geometry"]["coordinates"][0])
            expected = np.stack(to_pixels @ (world[:, 0], world[:, 1]), axis=1)
            np.testing.assert_allclose(shapely.get_coordinates(pixels), expected, atol=0.01)
            assert row["Mean_Building_Height"] == "" or 1.5 < float(row["Mean_Building_Height"]) < 90


@pytest.mark.parametrize("acquisition", ["airborne", "spaceborne"])
def test_no_building_is_labelled_where_the_radar_has_no_data(
    acquisition: str, request: pytest.FixtureRequest
) -> None:
    files: list[ReleaseFile] = request.getfixturevalue(acquisition)
    rows = list(csv.DictReader(io.StringIO(summary(files, "SN6_Train_AOI_11_Rotterdam_Buildings.csv"))))
    labels = named(files, "Buildings")
    cut = 0
    for image_id, content in named(files, "SAR-Intensity").items():
        with MemoryFile(content) as memory, memory.open(driver="GTiff") as dataset:
            black, to_ground = (dataset.read() == 0).all(axis=0), dataset.transform
        from_json = [shape(feature["geometry"]) for feature in json.loads(labels[image_id])["features"]]
        from_csv = [shapely.from_wkt(r["PolygonWKT_Pix"]) for r in rows if r["ImageId"] == image_id]
        for polygons, transform in ((from_json, to_ground), (from_csv, rasterio.Affine.identity())):
            drawn = [polygon for polygon in polygons if not polygon.is_empty]
            mask = rasterize(drawn, black.shape, transform=transform) if drawn else np.zeros(black.shape)
            assert not (mask.astype(bool) & black).any()
            # Buildings do reach the border of the data: the cut is there, not a margin before it.
            beside = np.roll(black, 1, axis=0) | np.roll(black, -1, axis=0)
            cut += int(np.count_nonzero(mask.astype(bool) & beside & ~black))
    assert cut > 0


def test_same_seed_same_bytes_and_workers_do_not_matter() -> None:
    world = WorldParameters(seed=7, tiles=12, tile_px=64)
    alone = list(release_files(SPACEBORNE, world, "x", workers=1))
    together = list(release_files(SPACEBORNE, world, "x", workers=2))
    assert alone == together


def test_acquisitions_share_the_city_but_not_the_speckle(airborne: list[ReleaseFile]) -> None:
    again = list(release_files(AIRBORNE, SMALLEST, "test-airborne", workers=1))
    assert again == airborne
    other = list(release_files(AIRBORNE, SMALLEST, "another", workers=1))
    assert {f.path for f in other}.isdisjoint({f.path for f in airborne if "SummaryData" not in f.path})


def test_a_sensor_the_world_cannot_simulate_is_refused() -> None:
    with pytest.raises(ParameterError, match="capella-airborne"):
        next(release_files(get_sensor("capella-airborne"), SMALLEST, "x"))


@pytest.fixture(scope="module")
def city_tiles() -> dict[int, list[TileImages]]:
    """Tiles of real texture and contrast, from north (0) and from south (1)."""
    world = WorldParameters(seed=20190804, tiles=240, tile_px=450)
    strips = plan_flight(AIRBORNE, world, "x")
    tiles: dict[int, list[TileImages]] = {0: [], 1: []}
    for strip in strips[:2]:
        for spots in columns_of(strip)[2::3]:
            tiles[strip.orientation] += image_column(AIRBORNE, world, "x", strip, spots)
    return tiles


def test_band_statistics_are_those_of_the_real_product(city_tiles: dict[int, list[TileImages]]) -> None:
    both = [*city_tiles[0], *city_tiles[1]]
    valid = np.concatenate([t.sar[:, t.sar[0] > 0] for t in both], axis=1).astype(np.float64)
    mean, std = valid.mean(axis=1), valid.std(axis=1)
    assert np.abs(mean - PUBLISHED_MEAN).max() < 2.0
    # The published deviations fit those of the expanded edition if 4.5 % black pixels were counted.
    counted = np.sqrt(0.955 * (std**2 + 0.045 * mean**2))
    assert np.abs(counted - PUBLISHED_STD).max() < 2.0
    r = np.atleast_2d(np.corrcoef(valid))
    assert r[0, 3] > r[1, 2] > r[0, 1] - 0.15
    assert 0.6 < r[0, 3] < 0.97


def test_optical_tone_is_that_of_the_real_product(city_tiles: dict[int, list[TileImages]]) -> None:
    pixels = [
        t.optical[:3][:, t.optical[0] > 0] for t in [*city_tiles[0], *city_tiles[1]] if t.optical is not None
    ]
    values = np.concatenate(pixels, axis=1).astype(np.float64)
    assert np.abs(values.mean(axis=1) - [97.27, 102.25, 93.41]).max() < 15
    assert np.abs(values.std(axis=1) - [41.67, 37.34, 38.83]).max() < 10


def lean(tile: TileImages, *, turn: bool) -> float:
    """Brightness gain of the ground just above the footprints is than just below them, in units of HH."""
    transform = rasterio.transform.from_origin(
        tile.frame.x_left, tile.frame.y_top, tile.frame.gsd, tile.frame.gsd
    )
    shapes = [f.polygon for f in tile.footprints if f.polygon.area > 60]
    mask = rasterize(shapes, out_shape=tile.sar.shape[1:], transform=transform).astype(bool)
    hh = tile.sar[0]
    if turn:
        mask, hh = mask[::-1, ::-1], hh[::-1, ::-1]
    shift = 8
    above, below = ~mask[:-shift] & mask[shift:], ~mask[shift:] & mask[:-shift]
    near, far = hh[:-shift][above], hh[shift:][below]
    return float(near[near > 0].mean() - far[far > 0].mean())


def test_a_tile_from_south_turned_by_180_degrees_looks_like_one_from_north(
    city_tiles: dict[int, list[TileImages]],
) -> None:
    north = np.mean([lean(tile, turn=False) for tile in city_tiles[0]])
    south_turned = np.mean([lean(tile, turn=True) for tile in city_tiles[1]])
    south_as_is = np.mean([lean(tile, turn=False) for tile in city_tiles[1]])
    assert north > 1.5
    assert south_turned > 1.5
    assert south_as_is < -1.5
    assert south_turned == pytest.approx(north, rel=0.6)


def test_cities_have_buildings_to_learn(city_tiles: dict[int, list[TileImages]]) -> None:
    counts = [len(tile.footprints) for tile in [*city_tiles[0], *city_tiles[1]]]
    assert np.mean(counts) > 10


def sensors() -> list[Sensor]:
    return [AIRBORNE, SPACEBORNE]


@pytest.mark.parametrize("sensor", sensors(), ids=lambda s: s.name)
def test_count_is_exact_for_any_size(sensor: Sensor) -> None:
    world = WorldParameters(tiles=47, tile_px=64)
    per_tile = 4 if sensor.paired_optical else 2
    tiles = sum(len(strip.spots) for strip in plan_flight(sensor, world, "x"))
    assert count_files(sensor, world, "x") == tiles * per_tile + 2
