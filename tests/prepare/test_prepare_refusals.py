"""Refusals of the stage: named inputs, nothing else touched."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from components.contract.errors import BadDataError, MissingInputError, ResourceError
from tests.prepare.tiny_raw import (
    NORTH,
    WEST,
    Acquisition,
    Folders,
    corner,
    image_id,
    rgb_values,
    sar_values,
    tif,
)


@pytest.mark.parametrize("processes", [1, 2])
def test_damaged_tile_is_named_and_the_old_store_stays(folders: Folders, processes: int) -> None:
    flight = Acquisition()
    for tile in range(1, 5):
        flight.add_tile(tile, WEST)
    folders.write(flight)
    folders.prepare()
    before = (folders.store / "index.parquet").read_bytes()
    flight.add("SAR-Intensity", 3, flight.files["SAR-Intensity", NORTH, 3][:-900])
    folders.write(flight)

    with pytest.raises(BadDataError, match=r"SAR-Intensity_.*_tile_3\.tif") as caught:
        folders.prepare(processes=processes)

    assert caught.value.next_step
    assert (folders.store / "index.parquet").read_bytes() == before
    assert sorted(path.name for path in folders.root.iterdir()) == ["prepared", "raw", "reports", "validated"]


def damaged(what: str) -> Acquisition:
    flight = Acquisition()
    flight.add_tile(1, WEST)
    transform = flight.add_tile(2, WEST)
    match what:
        case "bands":
            flight.add("SAR-Intensity", 2, tif(sar_values(2, bands=3), transform))
        case "crs":
            flight.add("SAR-Intensity", 2, tif(sar_values(2), transform, crs="EPSG:32632"))
        case "size":
            flight.add("SAR-Intensity", 2, tif(sar_values(2, side=48), transform))
            flight.add("PS-RGB", 2, tif(rgb_values(2, side=48), transform))
        case "optical bands":
            flight.add("PS-RGB", 2, tif(rgb_values(2)[:2], transform))
        case "optical elsewhere":
            flight.add("PS-RGB", 2, tif(rgb_values(2), corner(WEST + 10)))
        case "labels":
            flight.add("Buildings", 2, b"{}")
        case "strip":
            flight.add_tile(3, WEST, strip="20200101000000_20200101000100")
        case "orientations":
            del flight.summaries["SAR_orientations.txt"]
    return flight


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("bands", r"_tile_2\.tif has 3 bands, simulated-airborne has 4"),
        ("crs", r"_tile_2\.tif is in EPSG:32632, simulated-airborne delivers EPSG:32631"),
        ("size", r"_tile_2\.tif has 48 x 48 pixels"),
        ("optical bands", r"PS-RGB_.*_tile_2\.tif has 2 bands"),
        ("optical elsewhere", r"PS-RGB_.*_tile_2\.tif does not cover the ground"),
        ("labels", r"Buildings_.*_tile_2\.geojson is not a GeoJSON"),
        ("strip", r"strip 20200101000000_20200101000100 is not in SAR_orientations\.txt of tiny-airborne"),
        ("orientations", r"tiny-airborne has no SAR_orientations\.txt"),
    ],
)
def test_what_validation_should_have_caught_is_named(folders: Folders, what: str, message: str) -> None:
    folders.write(damaged(what))

    with pytest.raises(BadDataError, match=message):
        folders.prepare()
    assert not list(folders.store.rglob("*.npy"))
    assert not (folders.store / "index.parquet").exists()


def test_the_same_tile_in_two_acquisitions_of_a_sensor_is_refused(folders: Folders) -> None:
    flights = [Acquisition("first"), Acquisition("second")]
    for flight in flights:
        flight.add_tile(1, WEST)
    folders.write(*flights)

    with pytest.raises(BadDataError, match="is in both first and second"):
        folders.prepare()


def test_missing_inputs_name_the_stage_that_makes_them(folders: Folders) -> None:
    with pytest.raises(MissingInputError, match="dvc repro download"):
        folders.prepare()
    flight = Acquisition()
    flight.add_tile(1, WEST)
    folders.write(flight)
    folders.quarantine.unlink()
    with pytest.raises(MissingInputError, match="dvc repro verdict"):
        folders.prepare()
    folders.quarantine.write_text("nonsense\n")
    with pytest.raises(BadDataError, match="not a quarantine table"):
        folders.prepare()


@pytest.mark.parametrize("key", [("tiny-airborne ", image_id(1)), ("tiny-airborne", image_id(1) + "0")])
def test_a_quarantine_table_of_other_tiles_is_refused(folders: Folders, key: tuple[str, str]) -> None:
    flight = Acquisition()
    for tile in (1, 2):
        flight.add_tile(tile, WEST + 100 * tile)
    folders.write(flight, quarantined=[key])

    with pytest.raises(BadDataError, match=r"quarantine\.csv names .* which was not downloaded"):
        folders.prepare()
    assert not folders.store.exists()


def test_nothing_left_to_prepare_is_reported_with_the_reasons(folders: Folders) -> None:
    flight = Acquisition()
    flight.add_tile(1, WEST)
    folders.write(flight, quarantined=[(flight.name, image_id(1))])

    with pytest.raises(BadDataError, match=r"no tile is left .*'quarantined': 1"):
        folders.prepare()


def test_full_disk_is_found_before_the_first_byte(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = Acquisition()
    flight.add_tile(1, WEST)
    folders.write(flight)
    monkeypatch.setattr("components.lib.files.shutil.disk_usage", lambda _: SimpleNamespace(free=1))

    with pytest.raises(ResourceError, match="are needed"):
        folders.prepare()
    assert not list(folders.store.rglob("*.npy"))
    assert not (folders.store / "index.parquet").exists()
