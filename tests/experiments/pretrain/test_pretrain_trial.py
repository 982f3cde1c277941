"""Trials of the comparison of pre-training; no network is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from components.contract.errors import ParameterError
from components.contract.identity import ROOT
from components.experiments.comparison import ComparisonIncompleteError
from components.experiments.pretrain import __main__ as command
from components.experiments.pretrain.__main__ import Options, compare
from components.experiments.processes import StageFailedError, StageProcesses
from components.experiments.scoring import Scorer
from tests.experiments.pretrain.stamps import stamp
from tests.lib.engine.tiny_store import make_store

KIND = "deeplabv3plus"


class FakeProcesses(StageProcesses):
    """Stages that leave what finished ones leave, or fail for one seed."""

    ran: list[tuple[str, int, dict[str, Any]]] = []  # noqa: RUF012 - cleared by the fixture
    failing: int | None = None

    def run(self, command: Sequence[str], folder: Path, log: Path, *, label: str) -> float:
        stage = command[2].removeprefix("components.")
        given = yaml.safe_load((folder / "params.yaml").read_text())["profiles"]["trial"]
        seed = given.get("training", {}).get("seed", 0)
        self.ran.append((stage, seed, given))
        if seed and seed == self.failing:
            raise StageFailedError(f"{label}: left with 71", next_step=f"read {log}")
        if stage == "osm":
            assert (folder / given["osm"]["extract"]["path"]).is_file()
            (folder / "data/osm/buildings").mkdir(parents=True)
            np.save(folder / "data/osm/buildings/simulated-airborne.npy", np.zeros(3))
            return 1.0
        if stage == "pretrain":
            assert (folder / "data/osm/buildings/simulated-airborne.npy").is_file()
        if stage in {"pretrain", "optical"}:
            (folder / "models" / stage / KIND).mkdir(parents=True)
            (folder / "models" / stage / KIND / "model.json").write_text('{"weights_sha256": "0"}')
        report = folder / "reports" / stage / KIND / "details.json"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(stamp(seed, 8, 2)["training"]))
        return 1.0


def fake_score(self: Scorer, trial: Any, weights: str, world: Any) -> pd.DataFrame:
    tiles: pd.DataFrame = stamp(trial.seed, 50, 50)["tiles"]
    tiles.to_parquet(trial.folder / "tiles.parquet")
    return tiles


def fake_scored(self: Scorer, trial: Any, weights: str, world: Any) -> pd.DataFrame | None:
    path = trial.folder / "tiles.parquet"
    return pd.read_parquet(path) if path.exists() else None


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setattr(command, "StageProcesses", FakeProcesses)
    monkeypatch.setattr(FakeProcesses, "ran", [])
    monkeypatch.setattr(Scorer, "score", fake_score)
    monkeypatch.setattr(Scorer, "scored", fake_scored)
    make_store(tmp_path / "store")
    return Options(
        profile="rehearsal",
        rows=("clean", "vegas"),
        seeds=(17, 18),
        label_share=0.3,
        store=tmp_path / "store",
        folder=tmp_path / "var",
        out=tmp_path / "out",
        params=ROOT / "params.yaml",
    )


def test_trials_differ_by_the_pretraining_alone_and_are_kept(options: Options) -> None:
    assert compare(options) == 0
    assert [(stage, seed) for stage, seed, _ in FakeProcesses.ran] == [
        ("osm", 0), ("optical", 17), ("pretrain", 17), ("optical", 17),
        ("optical", 18), ("pretrain", 18), ("optical", 18),
    ]  # fmt: skip
    clean, first, second = (given for _, _, given in FakeProcesses.ran[1:4])
    assert clean["pretrain"]["kinds"] == []
    # 10 train tiles, 3 of them with clean labels, 4 crops each in batches of 8: 2 steps a pass instead of 5.
    assert clean["optical"] == {"kinds": [KIND], "start": None, "label_share": 0.3, "epochs": 4 + 15}
    assert second["optical"] == {"kinds": [KIND], "start": "pretrain", "label_share": 0.3, "epochs": 4}
    assert first == second
    written = json.loads((options.out / "comparison.json").read_text())
    assert [(row["row"], row["seeds"]) for row in written["rows"]] == [
        (f"{KIND}-clean", [17, 18]),
        (f"{KIND}-vegas", [17, 18]),
    ]
    assert "At which errors" in (options.out / "comparison.md").read_text()
    compare(options)
    assert len(FakeProcesses.ran) == 7


def test_a_failed_trial_leaves_the_others_and_is_named(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProcesses, "failing", 17)
    with pytest.raises(ComparisonIncompleteError, match=f"{KIND}-clean, seed 17"):
        compare(replace(options, rows=("clean",)))
    written = json.loads((options.out / "comparison.json").read_text())
    assert written["rows"][0]["seeds"] == [18]


def test_a_share_of_no_labels_is_refused(options: Options) -> None:
    with pytest.raises(ParameterError, match="label-share"):
        compare(replace(options, label_share=0.0))


def test_an_unknown_kind_is_refused_before_a_mask_is_drawn(options: Options) -> None:
    with pytest.raises(ParameterError, match="unknown teacher 'deeplab'"):
        compare(replace(options, kinds=("deeplab",)))
    assert FakeProcesses.ran == []
