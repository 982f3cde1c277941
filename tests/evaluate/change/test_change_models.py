"""Scores of trained change models on the test pairs of a tiny store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.evaluate.__main__ import main
from components.lib.change.inference import NetworkPredictor
from components.lib.change.pair import Pixels
from components.lib.change.scoring.protocols import PROTOCOLS, Probability
from components.lib.change.store.store import PairStore
from components.lib.report.panels import HEADING_PX
from tests.promote.change_world import DATA_SET, EVERYWHERE, NOWHERE, write_change_model, write_change_world

PIXELS, CHANGED = 2 * 32 * 32, 2 * 12 * 12


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with pairs and params.yaml."""
    monkeypatch.chdir(tmp_path)
    write_change_world(tmp_path, test_pairs=2)
    return tmp_path


def scored(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    main(["change", "--method", "sgsln", *more])
    return capsys.readouterr().out


def test_counts_are_those_of_the_test_pairs(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_change_model("sgsln", EVERYWHERE)
    details: dict[str, Any] = json.loads(scored(capsys, "--json"))
    folder = world / "reports/evaluate_change/sgsln"
    assert details == json.loads((folder / "details.json").read_text())
    assert (details["split"], details["data_set"], details["simulated"]) == ("test", DATA_SET, True)
    for protocol in ("whole_tile", "crops_256"):
        pixels = details["protocols"][protocol]["pixels"]
        assert (pixels["tp"], pixels["fp"], pixels["fn"]) == (CHANGED, PIXELS - CHANGED, 0)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["pixels_iou_whole_tile"] == round(CHANGED / PIXELS, 4)
    assert set(metrics) == {
        f"{name}_{protocol}"
        for name in ("pixels_f1", "pixels_iou", "objects_f1")
        for protocol in ("whole_tile", "crops_256")
    }
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (4 * 320 + 3 * 6, HEADING_PX + 2 * 320 + 6)
    assert details["sheet"] == ["test-0", "test-1"]
    assert details["warnings"] == []


def test_each_pair_is_predicted_once_by_each_protocol(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, calls = NetworkPredictor.predict, list[tuple[int, ...]]()

    def counted(self: NetworkPredictor, before: Pixels, after: Pixels) -> Probability:
        calls.append(before.shape)
        return predict(self, before, after)

    monkeypatch.setattr(NetworkPredictor, "predict", counted)
    write_change_model("sgsln", NOWHERE)
    scored(capsys)
    assert len(calls) == 2 * len(PROTOCOLS)
    assert (world / "reports/evaluate_change/sgsln/sheet.png").is_file()


def test_the_threshold_is_that_of_the_model(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_change_model("sgsln", NOWHERE, threshold=0.001)
    assert json.loads(scored(capsys, "--json"))["protocols"]["whole_tile"]["pixels"]["fn"] == 0
    write_change_model("sgsln", NOWHERE)
    assert json.loads(scored(capsys, "--json"))["protocols"]["whole_tile"]["pixels"]["tp"] == 0


def test_the_table_says_what_was_scored(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_change_model("sgsln", NOWHERE)
    told = scored(capsys)
    assert "sgsln on the test pairs of tiny: SIMULATED, 2 pairs of 2 scenes, threshold 0.500" in told
    assert "no intervals: fewer than 15 scenes" in told


def test_what_is_missing_is_named(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingInputError, match="models/change/sgsln"):
        scored(capsys)
    write_change_model("sgsln", NOWHERE, data_set="elsewhere")
    with pytest.raises(MissingInputError, match="data/pairs/elsewhere"):
        scored(capsys)


def test_only_names_of_change_methods_are_taken(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path would be read, and its reports written elsewhere."""
    write_change_model("sgsln", NOWHERE)
    for name, words in (("sgslm", "the nearest known one is 'sgsln'"), ("../change/sgsln", "unknown change")):
        with pytest.raises(ParameterError, match=words) as refused:
            main(["change", "--method", name])
        assert "disoptnet" not in str(refused.value)
    assert not (world / "reports/evaluate_change").exists()


def test_pairs_without_change_are_told(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = PairStore.open(world / "data/pairs" / DATA_SET)
    labels = np.load(store.folder / "layers/label.npy")
    np.save(store.folder / "layers/label.npy", np.where(labels == 1, 0, labels).astype(np.uint8))
    write_change_model("sgsln", NOWHERE)
    main(["change", "--method", "sgsln"])
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "warning: no pixel of the truth is changed: recall is undefined",
        "warning: no pixel of the prediction is changed: precision is undefined",
    ]


def test_a_data_set_without_test_pairs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_change_world(tmp_path, test_pairs=0)
    write_change_model("sgsln", NOWHERE)
    with pytest.raises(BadDataError, match="no pair in the split test"):
        scored(capsys)


def test_a_model_and_masks_cannot_be_scored_together(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--method", "sgsln", "--truth", "x", "--prediction", "y"],
        ["--method", "sgsln", "--min-area", "9"],
        ["--truth", "x"],
        [],
    ):
        with pytest.raises(SystemExit) as left:
            main(["change", *arguments])
        assert left.value.code == 2
    told = capsys.readouterr().err
    assert "leave out --truth, --prediction\n" in told
    assert "leave out --min-area\n" in told
