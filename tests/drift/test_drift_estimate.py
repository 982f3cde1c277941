"""``python -m components.drift estimate``: the score that is expected without labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.drift.__main__ import main
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from tests.conftest import ROOT
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, write_tiny_store

ESTIMATE = ["estimate", "--model", "none", "--resamples", "20", "--device", "cpu"]

CONFIG = {
    "kind": "deeplabv3plus",
    "encoder": "timm-mobilenetv3_small_minimal_100",
    "decoder_channels": 16,
    "sensors": [AIRBORNE],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a selection slice, one whose tiles have no labels, and an untrained model."""
    root = tmp_path_factory.mktemp("estimate")
    write_tiny_store(root / "data" / "prepared", tiles=6, selection=(3,))
    write_tiny_store(root / "unlabelled", tiles=4)
    for labels in (root / "unlabelled").rglob("target.npy"):
        labels.unlink()
    torch.manual_seed(0)
    save_bundle(root / "models" / "sar" / "none", build_network(NetworkConfig.model_validate(CONFIG)), {})
    text = (ROOT / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("block_m: 250.0", "block_m: 12.0"))
    return root


@pytest.fixture(autouse=True)
def _inside(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)


def report(acquisition: str) -> dict[str, Any]:
    path = Path("reports/drift", acquisition, "estimate-none.json")
    found: dict[str, Any] = json.loads(path.read_text())
    assert path.with_suffix(".png").stat().st_size > 1000
    return found


def test_held_out_tiles_of_the_same_store_show_the_true_score(capsys: pytest.CaptureFixture[str]) -> None:
    main([*ESTIMATE, "--acquisition", f"rehearsal-{AIRBORNE}"])
    told = capsys.readouterr().out
    found = report(f"rehearsal-{AIRBORNE}")
    assert f"({AIRBORNE}, simulated): 3 tiles" in told
    assert found["tiles"] == {"calibration": 1, "acquisition": 3}
    assert found["labelled"] is True
    assert [row["metric"] for row in found["scores"]] == ["iou", "px_f1"]
    for row in found["scores"]:
        assert 0.0 < row["expected"] < 1.0
        assert row["low"] <= row["expected"] <= row["high"]
        assert 0.0 < row["true"] < 1.0
        assert f"true {row['true']:.3f}" in told
    before = Path("reports/drift", f"rehearsal-{AIRBORNE}", "estimate-none.json").read_bytes()
    main([*ESTIMATE, "--acquisition", f"rehearsal-{AIRBORNE}", "--json"])
    assert json.loads(capsys.readouterr().out) == json.loads(before)


def test_tiles_without_labels_are_calibrated_by_another_store(capsys: pytest.CaptureFixture[str]) -> None:
    acquisition = f"rehearsal-{SPACEBORNE}"
    other = ["--store", "unlabelled", "--calibration", "data/prepared"]
    main([*ESTIMATE, "--acquisition", acquisition, *other])
    found = report(acquisition)
    assert found["labelled"] is False
    assert found["tiles"]["acquisition"] == 4, "all tiles of a store that the model was not trained from"
    assert [row["true"] for row in found["scores"]] == [None, None]
    assert "true" not in capsys.readouterr().out


def test_a_model_that_answers_no_number_has_no_score() -> None:
    net = build_network(NetworkConfig.model_validate(CONFIG))
    with torch.no_grad():
        for weights in net.parameters():
            weights.fill_(float("nan"))
    save_bundle(Path("models/sar/broken"), net, {})
    with pytest.raises(BadDataError, match="is not a number everywhere"):
        main(["estimate", "--model", "broken", *ESTIMATE[3:], "--acquisition", f"rehearsal-{AIRBORNE}"])


def test_mistakes_get_a_message() -> None:
    acquisition = ["--acquisition", f"rehearsal-{AIRBORNE}"]
    with pytest.raises(ParameterError, match="no test tile of nobody"):
        main([*ESTIMATE, "--acquisition", "nobody"])
    with pytest.raises(MissingInputError, match="models holds no model other"):
        main(["estimate", "--model", "other", *acquisition])
    with pytest.raises(ParameterError, match="has no selection tile"):
        main([*ESTIMATE, *acquisition, "--calibration", "unlabelled"])
    with pytest.raises(MissingInputError, match="nowhere"):
        main([*ESTIMATE, *acquisition, "--store", "nowhere"])
    with pytest.raises(ParameterError, match="is no name of a file"):
        main([*ESTIMATE[:2], "../none", *acquisition])
    with pytest.raises(ParameterError, match="confidence"):
        main([*ESTIMATE, *acquisition, "--confidence", "1.5"])
