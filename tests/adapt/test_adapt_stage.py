from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from components.adapt.__main__ import main
from components.adapt.parameters import AdaptParameters
from components.adapt.task import AdaptationTask
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.engine.ranks import Ranks
from components.lib.nets.bundle import load_bundle
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from tests.adapt.two_sensors import (
    SOURCE,
    TARGET,
    adapt,
    make_start,
    make_store,
    training,
    write_parameters,
)


def parameters(**changes: Any) -> AdaptParameters:
    values: dict[str, Any] = {
        "start_from": "disoptnet", "target": TARGET, "epochs": 1, "crops_per_tile": 6, "warmup_share": 0.25,
        "rounds": 2, "portion": 0.5, "scales": [1.0], "target_weight": 0.5,
    }  # fmt: skip
    return AdaptParameters.model_validate({**values, **changes})


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    tracking = TrackingParameters(uri=f"sqlite:///{folder}/var/mlflow.db", artifacts=str(folder / "var/art"))
    return adapt(parameters(**changes), training(), tracking)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_bundle(folder / "models/adapted").state_dict()


@pytest.fixture(autouse=True)
def untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store of runs has its own tests; creating one costs seconds."""

    def offline(*_: object) -> None:
        raise ConnectionError("no tracking in this test")

    monkeypatch.setattr("components.lib.tracking.run.connect", offline)


def prepared(folder: Path, *, kind: str = "disoptnet", steps: int = 0, poisoned: bool = False) -> Path:
    store = make_store(folder, poisoned=poisoned)
    make_start(folder, store, kind=kind, steps=steps)
    return folder


def test_adapting_helps_on_the_target_and_keeps_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path, kind="deeplabv3plus", steps=180)
    metrics = run(tmp_path, monkeypatch, start_from="deeplabv3plus", crops_per_tile=24)
    before, after = metrics["before"], metrics["after"]
    assert before["source"]["iou"] > 0.6, "the toy world is learnable"
    assert before["target"]["iou"] < 0.3, "and the other sensor is far away"
    assert after["target"]["iou"] > 0.6
    assert after["source"]["iou"] > before["source"]["iou"] - 0.1, "the source's loss keeps it"


def test_what_the_stage_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    metrics = run(tmp_path, monkeypatch)
    assert json.loads((tmp_path / "reports/adapt/details.json").read_text()) == metrics
    assert metrics["adapted"] is True
    assert metrics["simulated"] is True
    assert metrics["steps"] == 9
    assert [r["step"] for r in metrics["rounds"]] == [2, 5]
    for summary in metrics["rounds"]:
        assert sum(summary["shares"]) + summary["ignored"] == pytest.approx(1.0)
    headline = json.loads((tmp_path / "reports/adapt/metrics.json").read_text())
    assert headline["iou"] == round(metrics["after"]["source"]["iou"], 4)
    assert headline["adapted"] == round(metrics["after"]["target"]["iou"], 4)
    assert headline["unadapted"] == round(metrics["before"]["target"]["iou"], 4)
    curve = pd.read_csv(tmp_path / "reports/adapt/curve.csv")
    assert list(curve.columns) == ["step", "lr", "loss", "source", "target"]
    assert curve["step"].iloc[-1] == 9
    net = load_bundle(tmp_path / "models/adapted")
    assert net.config.sensors == (SOURCE, TARGET)
    assert net.metadata["adapted"] is True
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    assert not torch.equal(net.predict(x, SOURCE), net.predict(x, TARGET))
    with pytest.raises(ParameterError, match=f"it knows {SOURCE}, {TARGET}"):
        net.predict(x, "capella-airborne")
    # Chosen on the source, whose labels there are; the target's report uses the same.
    chosen = {scores["threshold"] for scores in metrics["after"].values()}
    assert chosen == {net.config.threshold}
    assert {scores["threshold"] for scores in metrics["before"].values()} == {0.5}
    assert not (tmp_path / "var/checkpoints/adapt/pseudo-labels").exists()


def test_training_never_reads_the_targets_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, poisoned = tmp_path / "honest", tmp_path / "poisoned"
    run(prepared(honest), monkeypatch)
    opened: list[tuple[str, str]] = []
    layer = Store.layer

    def watched(self: Store, sensor: str, name: str) -> Any:
        opened.append((sensor, name))
        return layer(self, sensor, name)

    losses = AdaptationTask.losses
    during: list[tuple[str, str]] = []

    def training_step(self: AdaptationTask, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        during.extend(opened)
        return losses(self, batch)

    # The network's own selection slice chooses its threshold; the weights must not depend on any label.
    nothing = {"source": None, "target": None}
    for module in ("run", "train"):
        monkeypatch.setattr(f"components.adapt.{module}.histograms_by_role", lambda *_, **__: nothing)
    monkeypatch.setattr(Store, "layer", watched)
    monkeypatch.setattr(AdaptationTask, "losses", training_step)
    run(prepared(poisoned, poisoned=True), monkeypatch)
    first, second = weights(honest), weights(poisoned)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert (SOURCE, "target") in during
    assert (TARGET, "sar") in during
    assert (TARGET, "target") not in during


def test_killed_and_resumed_equals_undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    run(prepared(undisturbed), monkeypatch)
    prepared(killed)
    before_step = AdaptationTask.before_step
    for at in (3, 6):  # in the first round of pseudo-labels, then in the second

        def dying(self: AdaptationTask, step: int, at: int = at) -> None:
            before_step(self, step)
            if step == at:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(AdaptationTask, "before_step", dying)
        with pytest.raises(SystemExit) as left:
            run(killed, monkeypatch)
        assert left.value.code == 143
        assert not (killed / "models/adapted").exists()
    monkeypatch.setattr(AdaptationTask, "before_step", before_step)
    run(killed, monkeypatch)
    first, second = weights(undisturbed), weights(killed)
    assert all(torch.equal(first[key], second[key]) for key in first)
    ours, theirs = (
        json.loads((folder / "reports/adapt/details.json").read_text()) for folder in (undisturbed, killed)
    )
    ours.pop("seconds"), theirs.pop("seconds")
    assert ours == theirs


def test_without_a_target_the_network_is_published_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(tmp_path)
    metrics = run(tmp_path, monkeypatch, target=None)
    assert metrics["adapted"] is False
    assert "published unchanged" in caplog.text
    start, adapted = load_bundle(tmp_path / "models/sar/disoptnet"), load_bundle(tmp_path / "models/adapted")
    assert adapted.config == start.config
    assert adapted.metadata["adapted"] is False
    assert all(torch.equal(adapted.state_dict()[key], value) for key, value in start.state_dict().items())
    assert (tmp_path / "reports/adapt/curve.csv").read_text().strip() == "step,lr,loss,source,target"


def test_target_that_the_network_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    with pytest.raises(ParameterError, match=rf"adapt\.target.*already knows '{SOURCE}'"):
        run(tmp_path, monkeypatch, target=SOURCE)
    with pytest.raises(ParameterError, match="no sensor 'lunar'"):
        run(tmp_path, monkeypatch, target="lunar")


def test_target_without_train_tiles_is_bad_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = ("selection",) * 9
    make_start(tmp_path, make_store(tmp_path, target_splits=splits))
    with pytest.raises(BadDataError, match=f"{TARGET} has no train tile"):
        run(tmp_path, monkeypatch)


def test_target_without_selection_tiles_is_reported_without_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_start(tmp_path, make_store(tmp_path, target_splits=("train",) * 9))
    metrics = run(tmp_path, monkeypatch)
    assert metrics["before"]["target"] is None
    assert metrics["after"]["source"]["iou"] >= 0


def test_missing_network_names_the_stage_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path)
    with pytest.raises(MissingInputError) as caught:
        run(tmp_path, monkeypatch)
    assert "dvc repro distill" in caught.value.next_step


def test_several_processes_are_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path)
    write_parameters(repository, tmp_path, start_from="disoptnet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["components.adapt"])
    monkeypatch.setattr("components.adapt.train.ranks", lambda: Ranks(world=2, local_world=2))
    with pytest.raises(ParameterError, match="without torchrun"):
        main()


def test_command_line(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    write_parameters(repository, tmp_path, scales=[0])
    environment = {**os.environ, "PYTHONPATH": str(repository)}

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "components.adapt", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "models/adapted" in command("--help").stdout
    wrong = command()
    assert wrong.returncode == 78
    assert "adapt.scales" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    # The rest in this process: torch is loaded already.
    write_parameters(repository, tmp_path, target=None, start_from="disoptnet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["components.adapt"])
    main()
    assert (tmp_path / "models/adapted/weights.safetensors").is_file()
