"""A data set of another layout is one declaration: named, paired, scaled and prepared by the same code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import BadDataError
from components.download.release import classify
from components.lib.datasets.base import (
    Dataset,
    Moments,
    Naming,
    OfficialSplit,
    Product,
    Sensor,
    Summaries,
)
from components.lib.datasets.scaling import scale_sar
from components.lib.datasets.sensors import DATASETS, dataset_of, get_sensor
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.grid import GRID_M
from components.lib.store.store import Store
from tests.prepare.tiny_raw import PARAMETERS, WEST, Acquisition, Folders, boxes, corner, geojson, tif

TOY = Dataset(
    name="toy",
    sensors=(
        Sensor(
            name="toy-radar",
            bands=("VV", "VH"),
            quad_pol_source=(0, 1, 1, 0),
            gsd_m=GRID_M,
            valid_range=(-40.0, 10.0),
            scale_limits=(-30.0, 0.0),
            crs="EPSG:32631",
            incidence_deg=40.0,
            looks=1.0,
            simulated=False,
            paired_optical=True,
        ),
    ),
    naming=Naming(
        title="Toyland",
        template="{product}-{image_id}.{extension}",
        image_id="{strip}--{tile}",
        strip="[a-z]+",
        parts=("all",),
    ),
    sar=Product(name="RADAR", folder="radar", dtype="float32"),
    optical=Product(
        name="CAMERA", folder="camera", dtype="uint8", bands=("B", "G"), quad_pol_source=(1, 0, 0, 1)
    ),
    labels=Product(name="HOUSES", folder="houses", extension="geojson"),
    unread=(),
    summaries=Summaries(
        product="About",
        folder="about",
        orientations="sides.txt",
        buildings="houses.csv",
        buildings_ending="houses.csv",
    ),
    root="",
    split=OfficialSplit(published="toy-all", disjoint="toy-clean", west_m=0.0, east_m=1.0, groups=3),
    sar_moments=Moments(mean=(-10.0,) * 4, std=(3.0,) * 4),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, TOY.name, TOY)


def test_its_sensor_and_names_are_known() -> None:
    assert dataset_of("toy-radar") is TOY
    assert get_sensor("toy-radar").scale_limits == (-30.0, 0.0)
    name = TOY.file_name("RADAR", "north", 7)
    assert name == "RADAR-north--7.tif"
    parsed = TOY.parse(name)
    assert (parsed.product, parsed.strip, parsed.tile, parsed.image_id) == ("RADAR", "north", 7, "north--7")
    with pytest.raises(BadDataError, match="not a Toyland file name"):
        TOY.parse(SPACENET6.file_name("PAN", "1" * 14 + "_" + "2" * 14, 1))


def test_its_files_are_placed_by_their_own_folders() -> None:
    tile, about = classify("x/RADAR-north--7.tif", TOY), classify("about/sides.txt", TOY)
    assert tile is not None
    assert about is not None
    assert (tile.member, about.member) == ("radar/RADAR-north--7.tif", "about/sides.txt")
    assert classify("SummaryData/SAR_orientations.txt", TOY) is None


def test_a_tile_of_it_is_paired_scaled_and_prepared(tmp_path: Path) -> None:
    radar = np.full((2, 64, 64), -15.0, np.float32)
    radar[1] = -30.0
    radar[:, :8] = 0.0
    camera = np.stack([np.full((64, 64), 50, np.uint8), np.full((64, 64), 200, np.uint8)])
    transform = corner(WEST)
    flight = Acquisition(name="toy-1", sensor="toy-radar", dataset=TOY, summaries={"sides.txt": b"north 0\n"})
    flight.add("RADAR", 7, tif(radar, transform), "north")
    flight.add("CAMERA", 7, tif(camera, transform), "north")
    flight.add("HOUSES", 7, geojson(boxes(transform, (20, 20, 40, 40))), "north")
    folders = Folders(tmp_path)
    folders.write(flight)

    summary = folders.prepare(PARAMETERS)

    store = Store.open(folders.store)
    assert store.index["image_id"].tolist() == ["north--7"]
    assert store.index["n_buildings"].tolist() == [1]
    sar, optical = store.layer("toy-radar", "sar")[0], store.layer("toy-radar", "optical")[0]
    assert sar[3, 3].tolist() == [0, 0, 0, 0]
    assert sar[30, 30].tolist() == [128, 1, 1, 128]
    assert optical[30, 30].tolist() == [200, 50, 50, 200]
    assert set(summary["leak"]) == {"toy-all", "toy-all-used", "toy-clean", "selection"}


def test_data_sets_with_different_official_splits_do_not_share_a_store(tmp_path: Path) -> None:
    toy = Acquisition(name="toy-1", sensor="toy-radar", dataset=TOY, summaries={"sides.txt": b"north 0\n"})
    transform = corner(WEST)
    toy.add("RADAR", 7, tif(np.full((2, 64, 64), -15.0, np.float32), transform), "north")
    toy.add("CAMERA", 7, tif(np.full((2, 64, 64), 9, np.uint8), transform), "north")
    toy.add("HOUSES", 7, b"", "north")
    other = Acquisition()
    other.add_tile(1, WEST)
    folders = Folders(tmp_path)
    folders.write(toy, other)

    with pytest.raises(BadDataError, match="different official splits"):
        folders.prepare(PARAMETERS)


def test_scaling_clips_at_the_declared_limits() -> None:
    values = np.array([[[-99.0, -30.0, -15.0, 0.0, 99.0]]], np.float32)
    valid = np.ones((1, 5), dtype=bool)
    limits = get_sensor("toy-radar").scale_limits
    assert scale_sar(values, valid, limits)[0, :, 0].tolist() == [1, 1, 128, 255, 255]


def test_a_product_of_another_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"products\.1: Input should be one of 'RADAR'"):
        replace(TOY, name="twin").check_products(["RADAR", "PAN"])
