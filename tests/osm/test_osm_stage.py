"""The stage from a store and an extract to masks, quality, record and reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from components.contract.errors import BadDataError, ParameterError, ResourceError
from components.contract.hashing import sha256_file, sha256_folder
from components.lib.osm.store import read_masks, read_quality
from components.lib.osm.terms import IGNORE, OBJECT
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from components.osm import pipeline
from components.osm.__main__ import main
from components.osm.parameters import OsmParameters
from components.osm.pipeline import draw_masks
from tests.conftest import ROOT
from tests.lib.osm.extracts import NORTH, SIDE, WEST, Pbf
from tests.lib.store.tiny_store import SENSOR, tiny_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two tiles of the airborne sensor at one place, the second one turned and with a border of no data."""
    tiny, _ = tiny_store(tmp_path / "tiny", splits=("train",) * 2)
    index = tiny.index[tiny.index["sensor"] == SENSOR].drop(columns="position")
    index = index.assign(
        x_left_m=WEST, y_top_m=NORTH, height=SIDE, width=SIDE, orientation=[0, 1], strip="20190804111224_x"
    )
    layers = {
        (SENSOR, layer): np.random.default_rng(7).integers(1, 255, (2, SIDE, SIDE, bands), dtype=np.uint8)
        for layer, bands in (("sar", 4), ("optical", 4), ("target", 1))
    }
    layers[SENSOR, "sar"][1, :8] = 0
    write_store(tmp_path / "store", index, tiny.footprints.iloc[:0], layers)
    return Store.open(tmp_path / "store")


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    made = Pbf()
    made.way([(-10, 4), (42, 4)], {"highway": "residential", "width": "wide"})
    made.way([(8, 16), (24, 16), (24, 30), (8, 30)], {"building": "yes"}, closed=True)
    return made.write(tmp_path / "city.osm.pbf")


def parameters(extract: Path, **changes: Any) -> OsmParameters:
    declared = {
        "path": str(extract),
        "sha256": sha256_file(extract),
        "source": "made by a test",
        "date": "2019-08-14",
        **changes,
    }
    roads = {"widths_m": {"residential": 4.0}}
    return OsmParameters.model_validate({"tasks": ["roads"], "extract": declared, "roads": roads})


def test_masks_lie_as_the_store_has_its_tiles_turned(store: Store, extract: Path, tmp_path: Path) -> None:
    found = draw_masks("roads", store, tmp_path / "out", tmp_path / "reports", parameters(extract))
    masks = read_masks(tmp_path / "out", SENSOR)
    assert masks.shape == (2, SIDE, SIDE, 1)
    assert np.flatnonzero((masks[0][..., 0] == OBJECT).any(axis=1)).tolist() == [*range(4, 12)]
    turned = masks[1][..., 0]
    assert np.flatnonzero((turned == OBJECT).any(axis=1)).tolist() == [*range(SIDE - 12, SIDE - 4)]
    assert (turned[:8] == IGNORE).all()
    assert (found["tiles"], found["tiles_without_objects"], found["covered_share"]) == (2, 0, 1.0)
    quality = read_quality(tmp_path / "out")
    assert quality["age_days"].tolist() == [10.0, 10.0]
    assert quality["length_m"].tolist() == pytest.approx([32.0, 32.0], abs=0.1)
    assert set(quality["shift_unknown"]) == {"less than 200 m of roads"}
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["odd_widths"] == 1
    assert record["credit"].startswith("© OpenStreetMap contributors")
    assert json.loads((tmp_path / "reports" / "details.json").read_text())["date"] == "2019-08-14"
    with Image.open(tmp_path / "reports" / "sheet.png") as sheet:
        assert sheet.height == 2 * 320 + 4


def test_buildings_twice_are_byte_identical(store: Store, extract: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        draw_masks("buildings", store, folder / "out", folder / "reports", parameters(extract))
    assert sha256_folder(tmp_path / "one") == sha256_folder(tmp_path / "two")
    assert (read_masks(tmp_path / "one" / "out", SENSOR)[0] == OBJECT).sum() == 16 * 14 * 4


def test_an_extract_of_another_place_leaves_nothing(store: Store, extract: Path, tmp_path: Path) -> None:
    elsewhere = parameters(extract, coverage=[10.0, 10.0, 11.0, 11.0])
    with pytest.raises(BadDataError, match=r"covers none of the 2 tiles"):
        draw_masks("roads", store, tmp_path / "out", tmp_path / "reports", elsewhere)
    assert not (tmp_path / "out").exists()


def test_layers_of_a_pbf_file_are_refused(store: Store, extract: Path, tmp_path: Path) -> None:
    named = parameters(extract, layers=["lines"])
    with pytest.raises(ParameterError, match="names lines, and a PBF file has no layers"):
        draw_masks("roads", store, tmp_path / "out", tmp_path / "reports", named)


def test_reports_that_cannot_be_written_are_told_before_the_work(
    store: Store, extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(pipeline, "_tiles", lambda *_: pytest.fail("drawn"))
    with pytest.raises(ResourceError, match="file"):
        draw_masks("roads", store, tmp_path / "out", tmp_path / "file" / "reports", parameters(extract))


def test_no_road_is_told(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = Pbf().write(tmp_path / "empty.osm.pbf")
    found = draw_masks("roads", store, tmp_path / "out", tmp_path / "reports", parameters(empty))
    assert found["tiles_without_objects"] == 2
    assert "there are no roads on any tile" in caplog.text


def test_damaged_masks_are_named(store: Store, extract: Path, tmp_path: Path) -> None:
    draw_masks("roads", store, tmp_path / "out", tmp_path / "reports", parameters(extract))
    path = tmp_path / "out" / f"{SENSOR}.npy"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadDataError, match="is damaged"):
        read_masks(tmp_path / "out", SENSOR)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"tasks": ["rivers"]}, "unknown task 'rivers'"),
        ({"tasks": ["roads"]}, r"extract\.path is needed"),
        ({"extract": {"sha256": "abc"}}, "64 hexadecimal digits"),
        ({"extract": {"date": "last week"}}, "YYYY-MM-DD"),
        ({"extract": {"coverage": [5, 51, 4, 52]}}, "each pair ascending"),
        ({"extract": {"layers": ["lines", "lines"]}}, "a layer is named twice"),
        ({"roads": {"widths_m": {"primary": 99.0}}}, r"widths_m\.primary is 99 m"),
        ({"roads": {"widths_m": {"primary": 9.0}, "dropped": ["primary"]}}, "'primary' is named twice"),
        ({"roads": {"dropped": [""]}}, "is no class of roads"),
    ],
)
def test_parameters_name_what_is_wrong(given: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        OsmParameters.model_validate(given)


def test_a_date_may_stand_without_quotes() -> None:
    import datetime as dt  # noqa: PLC0415

    found = OsmParameters.model_validate({"extract": {"date": dt.date(2019, 8, 1)}})
    assert found.extract.date == "2019-08-01"


def test_the_command_needs_a_known_task_and_a_declared_extract(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["osm", "--task", "road", "--store", str(store.folder)])
    with pytest.raises(ParameterError, match="'road'; the nearest valid one is 'roads'"):
        main()
    monkeypatch.setattr(
        sys, "argv", ["osm", "--task", "roads", "--store", str(store.folder), "--out", str(tmp_path / "out")]
    )
    with pytest.raises(ParameterError, match=r"extract\.path is needed"):
        main()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    own = tmp_path / "mine/notes.txt"
    own.parent.mkdir()
    own.write_text("kept")
    monkeypatch.setattr(sys, "argv", ["osm", "--task", "roads", "--out", str(own.parent)])
    with pytest.raises(ParameterError, match="mine holds something else than masks"):
        main()
    assert own.read_text() == "kept"


def test_reports_inside_of_the_masks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = str(tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["osm", "--task", "roads", "--out", out, "--reports", f"{out}/reports"])
    with pytest.raises(ParameterError, match="which is replaced as a whole"):
        main()


def test_the_quality_has_its_declared_columns(store: Store, extract: Path, tmp_path: Path) -> None:
    draw_masks("roads", store, tmp_path / "out", tmp_path / "reports", parameters(extract))
    table = pd.read_parquet(tmp_path / "out" / "quality.parquet")
    assert table[["row", "sensor"]].to_numpy().tolist() == [[0, SENSOR], [1, SENSOR]]
