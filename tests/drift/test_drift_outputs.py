"""``python -m components.drift outputs``: what a model says of one acquisition and of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.drift.__main__ import main
from components.lib.drift.outputs import output_statistics, read_outputs


def tables(
    acquisition: str, locations: int, seed: int, *, missed: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tiles to a location, each with the answers of a teacher and of a student that misses buildings."""
    rng = np.random.default_rng(seed)
    tiles, objects = [], []
    for k in range(2 * locations):
        true = int(rng.integers(4000, 9000))
        for model, share in (("teacher", 0.0), ("student", missed)):
            keys = {
                "acquisition": acquisition,
                "sensor": "simulated-airborne",
                "location": f"{seed}_{k}",
                "model": model,
            }
            hit = int(true * (1.0 - share))
            counts = {"px_tp": hit, "px_fp": 100, "px_fn": true - hit, "px_tn": 30_000 - true}
            tiles.append({**keys, **counts})
            drawn = {"kind": "proposal", "area_px": 400.0, "confidence": float(rng.uniform(0.5, 0.9))}
            objects.append({**keys, **drawn})
    return pd.DataFrame(tiles), pd.DataFrame(objects)


@pytest.fixture
def evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    parts = [tables("old", 20, 1, missed=0.1), tables("new", 10, 2, missed=0.6)]
    folder = tmp_path / "reports" / "evaluate"
    folder.mkdir(parents=True)
    for name, found in zip(("tiles", "objects"), zip(*parts, strict=True), strict=True):
        pd.concat(found).to_parquet(folder / f"{name}.parquet")
    return folder


def test_statistics_of_a_location(evaluation: Path) -> None:
    outputs = read_outputs(evaluation).of("simulated-airborne", "new")
    found = output_statistics(outputs, "student")
    own = outputs.tiles[(outputs.tiles["model"] == "student") & (outputs.tiles["location"] == "1_0")]
    row = found.loc["1_0"]
    pixels = own[["px_tp", "px_fp", "px_fn", "px_tn"]].to_numpy().sum()
    assert row["building_share"] == pytest.approx((own["px_tp"].sum() + 200) / pixels)
    assert row["share_error"] == pytest.approx((200 - own["px_fn"].sum()) / pixels)
    assert row["buildings_per_mpx"] == pytest.approx(2 / pixels * 1e6)
    assert row["log_area"] == pytest.approx(np.log(400.0))
    assert row["share_over_teacher"] < -0.05
    assert "share_over_teacher" not in output_statistics(outputs, "teacher")


def test_a_model_that_answers_otherwise_is_found(
    evaluation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["outputs", "--acquisition", "new", "--model", "student", "--permutations", "999"])
    assert "10 locations against 20" in capsys.readouterr().out
    report = json.loads(Path("reports/drift/new/outputs-student.json").read_text())
    assert {"building_share", "share_error", "pixel_iou", "share_over_teacher"} <= set(report["shifted"])
    assert "confidence" not in report["shifted"]
    assert report["untested"]["log_area"] == "it is the same everywhere"
    assert (report["of"], report["request"]) == ("outputs", None)
    assert report["reference"]["acquisitions"] == ["old"]


def test_mistakes_get_a_message(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no tile of nobody"):
        main(["outputs", "--acquisition", "nobody", "--model", "student"])
    with pytest.raises(ParameterError, match="other was not scored on these tiles"):
        main(["outputs", "--acquisition", "new", "--model", "other"])
    with pytest.raises(MissingInputError, match="is missing"):
        main(["outputs", "--acquisition", "new", "--model", "student", "--evaluation", str(tmp_path)])
    tiles = pd.read_parquet(evaluation / "tiles.parquet")
    for wrong, message in (
        ({"px_tp": "many"}, "could not convert"),
        ({"px_fp": -1}, "px_fp is no number of pixels"),
        ({"px_fn": np.nan}, "px_fn is no number of pixels"),
        ({"acquisition": None}, "a row lacks one of acquisition"),
        ({"location": "here"}, "a ground block has no name"),
    ):
        tiles.assign(**wrong).to_parquet(evaluation / "tiles.parquet")
        with pytest.raises(BadDataError, match=message):
            main(["outputs", "--acquisition", "new", "--model", "student"])
    tiles.to_parquet(evaluation / "tiles.parquet")
    (evaluation / "objects.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadDataError, match="cannot be read"):
        main(["outputs", "--acquisition", "new", "--model", "student"])
