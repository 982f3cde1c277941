"""The stage publishes a store with its reports, or says by name why it does not."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from components.contract.errors import BadDataError, ParameterError
from components.lib.change.store.store import PairStore
from components.lib.report.panels import HEADING_PX
from components.pairs.__main__ import main
from components.pairs.parameters import DATA_SETS, SIMULATED, PairsParameters
from components.pairs.pipeline import prepare_pairs
from components.pairs.sources import open_source
from tests.conftest import ROOT
from tests.lib.change.datasets.files import change, generic_files, png, write
from tests.lib.change.datasets.test_leaks import ground
from tests.lib.change.pairs import make_pair

SIZE, TILE = (128, 128), 64


def parameters(**changes: Any) -> PairsParameters:
    return PairsParameters.model_validate({"tile_px": TILE, **changes})


def files_of(split: str, names: list[str], seed: int, **parts: bytes) -> dict[str, bytes]:
    """Files of pairs whose images have structure, each of its own ground."""
    files: dict[str, bytes] = {}
    for i, name in enumerate(names):
        images = {f"t{date}": png(ground(seed + 2 * i + date, SIZE)) for date in (1, 2)}
        files |= generic_files(split, [name], **{**images, "label": png(change(SIZE)), **parts})
    return files


def run(folder: Path, out: Path, settings: PairsParameters) -> dict[str, Any]:
    return prepare_pairs(open_source("pairs", folder, settings), out / "store", out / "reports", settings)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    files = files_of("train", ["a", "b", "c"], 0) | files_of("test", ["a"], 100)
    return write(tmp_path / "data", files)


def details_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "reports" / "details.json").read_text())
    return found


def test_a_data_set_becomes_a_store_with_reports(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = run(data, tmp_path, parameters())
    store = PairStore.open(tmp_path / "store")
    assert len(store.index) == 4 * 4
    assert (found["train_tiles"], found["val_tiles"], found["test_tiles"]) == (8, 4, 4)
    assert found["train_changed_share"] == round(24 / 128**2, 6)
    assert (found["left_out_share"], found["leaks"]) == (0.0, 0)
    assert json.loads((tmp_path / "reports" / "metrics.json").read_text()) == found
    details = details_of(tmp_path)
    assert details["splits"]["train"]["tiles_without_change"] == 6
    assert details["warnings"] == ["1 scenes of train are validation: a split of ours, not an official one"]
    with Image.open(tmp_path / "reports" / "sheet.png") as sheet:
        assert sheet.size == (3 * 256 + 2 * 4, HEADING_PX + 8 * 256 + 7 * 4)
    assert details["sheet"][0] == "train_a, from column 0, row 0"
    assert len(details["sheet"]) == 8
    assert "licence: that of the images" in caplog.text
    assert "citation: none is known" in caplog.text


def test_the_same_files_give_the_same_store(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(data, tmp_path / name, parameters())
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 6 + 3
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_a_bad_pair_is_left_out_and_told(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(data, files_of("train", ["bad"], 50, t2=b"no image"))
    found = run(data, tmp_path, parameters(max_left_out=0.25))
    assert found["left_out_share"] == 0.2
    assert details_of(tmp_path)["left_out"] == [
        {
            "name": "train_bad",
            "reason": "unreadable",
            "message": "train/t2/bad.png is neither PNG, JPEG nor TIFF",
        }
    ]
    assert "train_bad is left out" in caplog.text


def test_too_many_bad_pairs_stop_the_stage_and_leave_no_store(data: Path, tmp_path: Path) -> None:
    write(data, files_of("train", ["bad"], 50, t2=b"no image"))
    with pytest.raises(BadDataError, match=r"20\.0% and more than 5\.0%; the first is train_bad"):
        run(data, tmp_path, parameters())
    assert not (tmp_path / "store").exists()
    assert details_of(tmp_path)["left_out_by_reason"] == {"unreadable": 1}


def test_a_data_set_of_bad_pairs_alone_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "data", files_of("train", ["bad"], 50, t2=b"no image"))
    with pytest.raises(BadDataError, match=r"100\.0% and more than 5\.0%"):
        run(tmp_path / "data", tmp_path, parameters())
    with pytest.raises(BadDataError, match="no usable pair"):
        run(tmp_path / "data", tmp_path, parameters(max_left_out=1.0))


def test_shared_ground_stops_the_stage_or_is_told(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("t1", "t2", "label"):
        (data / f"test/{folder}/twin.png").write_bytes((data / f"train/{folder}/c.png").read_bytes())
    with pytest.raises(BadDataError, match=r"train_c \(train\) and test_twin \(test\): identical"):
        run(data, tmp_path, parameters(val_share=0))
    assert not (tmp_path / "store").exists()
    assert details_of(tmp_path)["leaks_by_kind"] == {"identical": 1}
    assert run(data, tmp_path, parameters(val_share=0, leaks="warn"))["leaks"] == 1
    assert "share ground between splits" in caplog.text
    assert run(data, tmp_path, parameters(val_share=0, leaks="ignore"))["leaks"] == 0


def test_splits_without_change_or_of_change_alone_are_told(data: Path, tmp_path: Path) -> None:
    nothing, everything = np.zeros(SIZE, np.uint8), np.full(SIZE, 255, np.uint8)
    write(data, files_of("test", ["a"], 100, label=png(nothing)))
    write(data, files_of("val", ["a"], 200, label=png(everything)))
    run(data, tmp_path, parameters())
    assert details_of(tmp_path)["warnings"] == [
        "all of split val is change; is its label inverted?",
        "split test has no change in any of its 4 tiles",
    ]
    transparent = png(np.zeros((*SIZE, 4), np.uint8))
    write(data, files_of("test", ["a"], 100, label=transparent))
    run(data, tmp_path, parameters())
    assert details_of(tmp_path)["warnings"][1] == "split test has no known pixel in any of its 4 tiles"


def test_one_date_in_both_folders_is_told(data: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (data / split / "t2" / "a.png").write_bytes((data / split / "t1" / "a.png").read_bytes())
    run(data, tmp_path, parameters())
    told = (
        "2 pairs have the same image at both dates, such as train_a: was one date copied into both folders?"
    )
    assert told in details_of(tmp_path)["warnings"]


def test_the_simulated_world_becomes_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [
        make_pair(split, split, size=SIZE, seed=seed, modalities=("optical", "sar"))
        for seed, split in enumerate(("train", "val", "test"))
    ]
    monkeypatch.setattr("components.simulation.change.pairs.simulated_pairs", lambda _: iter(drawn))
    settings = parameters(simulated={"pairs": 3, "tile_px": 128})
    found = prepare_pairs(open_source(SIMULATED, None, settings), tmp_path / "s", tmp_path / "r", settings)
    store = PairStore.open(tmp_path / "s")
    assert store.facts.simulated
    assert store.layers == ("before_optical", "before_sar", "after_optical", "after_sar", "label")
    assert [found[f"{split}_tiles"] for split in ("train", "val", "test")] == [4, 4, 4]
    with Image.open(tmp_path / "r" / "sheet.png") as sheet:
        assert sheet.width == 5 * 256 + 4 * 4


def test_tiles_are_as_large_as_simulated_pairs_or_as_told() -> None:
    settings = PairsParameters.model_validate({"simulated": {"tile_px": 96}})
    assert (settings.tile_side(SIMULATED), settings.tile_side("levir-cd")) == (96, 256)
    assert parameters().tile_side(SIMULATED) == TILE


def test_parameters_name_what_they_do_not_know() -> None:
    assert set(DATA_SETS) >= {SIMULATED, "levir-cd", "bright"}
    with pytest.raises(ValidationError, match="unknown data set 'levir'"):
        parameters(data_sets=["levir"])
    with pytest.raises(ValidationError, match="folders names no folder of the data set 'levir-cd'"):
        parameters(data_sets=["levir-cd"])
    with pytest.raises(ValidationError, match="value_range must ascend"):
        parameters(value_range=(5.0, 5.0))
    with pytest.raises(ParameterError, match="no folder of the data set cdd is known"):
        open_source("cdd", None, parameters())
    with pytest.raises(ParameterError, match="simulated pairs are drawn, not read"):
        open_source(SIMULATED, Path("folder"), parameters())


def test_the_command_refuses_an_unknown_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["pairs", "--data-set", "levir", "--source", str(tmp_path)])
    with pytest.raises(ParameterError, match="'levir'; the nearest known one is 'levir-cd'"):
        main()


def test_the_command_names_stores_by_their_data_set(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("params.yaml", "params.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pairs", "--data-set", "pairs", "--source", str(data)])
    main()
    assert len(PairStore.open(tmp_path / "data" / "pairs" / "pairs").index) == 4
    assert (tmp_path / "reports" / "pairs" / "pairs" / "metrics.json").is_file()


def test_the_command_replaces_nothing_but_a_store(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data set itself, given as --out, stays as it is."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        sys, "argv", ["pairs", "--data-set", "pairs", "--source", str(data), "--out", str(data)]
    )
    before = sorted(data.rglob("*"))
    with pytest.raises(ParameterError, match="holds something else than a store of pairs"):
        main()
    assert sorted(data.rglob("*")) == before
