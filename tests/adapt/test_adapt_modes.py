"""Ablations, the oracle and the guard: the same stage, other parameters."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.adapt.labels import LabelFolder
from components.adapt.parameters import AdaptParameters
from components.adapt.statistics import band_moments, class_shares
from components.adapt.task import AdaptationTask
from components.adapt.train import training_of
from components.contract.errors import ParameterError
from components.contract.parameters import resolve
from components.lib.losses.segmentation import IGNORE
from components.lib.nets.bundle import load_bundle
from components.lib.nets.csn import SensorNorm2d
from components.lib.nets.sensorset import use_sensor
from components.lib.nets.stems import SensorStem
from components.lib.selftraining.pseudolabels import LabelSummary
from components.lib.store.store import Store
from components.lib.tasks.labels import target_of
from components.lib.tracking.parameters import TrackingParameters
from tests.adapt.two_sensors import SOURCE, TARGET, adapt, make_start, make_store, training
from tests.parameter_documents import document

GUARD = {"max_shift": 1000.0, "min_agreement": 0.0, "max_fall": 1.0}
"""Lets everything pass but the loss of a class."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with store and start, without tracking and without scoring, which have their own tests."""

    def offline(*_: object) -> None:
        raise ConnectionError("no tracking in this test")

    monkeypatch.setattr("components.lib.tracking.run.connect", offline)
    scores = {"iou": 0.5}
    for module in ("run", "train"):
        monkeypatch.setattr(
            f"components.adapt.{module}.scores_by_role", lambda *_, **__: {"source": scores, "target": scores}
        )
    monkeypatch.chdir(tmp_path)
    make_start(tmp_path, make_store(tmp_path))
    return tmp_path


def run(folder: Path, *, jitter: tuple[float, float] | None = None, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "start_from": "disoptnet", "target": TARGET, "epochs": 1, "crops_per_tile": 3, "warmup_share": 0.25,
        "rounds": 2, "portion": 0.5, "scales": [1.0], "target_weight": 0.5,
    }  # fmt: skip
    tracking = TrackingParameters(uri=f"sqlite:///{folder}/var/mlflow.db", artifacts=str(folder / "var/art"))
    chosen = training() if jitter is None else training(scale_jitter=jitter)
    return adapt(AdaptParameters.model_validate({**values, **changes}), chosen, tracking)


def metadata(folder: Path) -> dict[str, Any]:
    return load_bundle(folder / "models/adapted").metadata


def labels_that(monkeypatch: pytest.MonkeyPatch, *buildings: float) -> None:
    """Rounds whose share of building labels is as given, the same pixels first."""

    def make(
        self: LabelFolder, round_: int, net: torch.nn.Module, device: torch.device
    ) -> tuple[LabelSummary, str]:
        labels = np.zeros((len(self.rows), 96, 96), np.uint8)
        labels[:, : round(96 * buildings[round_])] = 1
        self.folder.mkdir(parents=True, exist_ok=True)
        np.save(self._path(round_), labels)
        share = float(labels.mean())
        from components.contract.hashing import sha256_file  # noqa: PLC0415

        return LabelSummary((0.9, 0.9), (1 - share, share), 0.0, (0.0,) * 16), sha256_file(self._path(round_))

    monkeypatch.setattr(LabelFolder, "make", make)


def test_settings_of_the_optimiser_are_the_sections_own_or_those_of_training() -> None:
    values: dict[str, Any] = {
        "start_from": "disoptnet", "target": TARGET, "epochs": 1, "crops_per_tile": 3, "warmup_share": 0.25,
        "rounds": 2, "portion": 0.5, "target_weight": 0.5,
    }  # fmt: skip
    given = training(clip_norm=3.0, weight_decay=1e-4, lr=0.02)
    assert training_of(given, AdaptParameters.model_validate(values)) == given
    released = AdaptParameters.model_validate(values | {"lr": 0.01, "weight_decay": 5e-4, "clip_norm": 35})
    changed = training_of(given, released)
    assert (changed.lr, changed.weight_decay, changed.clip_norm) == (0.01, 5e-4, 35)
    assert changed == given.model_copy(update={"lr": 0.01, "weight_decay": 5e-4, "clip_norm": 35.0})


def test_the_released_settings_of_lovecs_adapt_its_network(folder: Path) -> None:
    """The whole section `adapt` of the profile, but for the number of steps."""
    make_start(folder, Store.open(folder / "data/prepared"), kind="semantic_fpn")
    released = resolve({**document(), "profile": "lovecs"})["adapt"]
    shorter = {"start_from": "semantic_fpn", "target": TARGET, "epochs": 1, "crops_per_tile": 4}
    metrics = run(folder, **{**released, "scales": None, **shorter})
    assert metrics["start_from"] == "semantic_fpn"
    assert metrics["scales"] == pytest.approx([0.6, 0.75, 0.9, 1.05])
    assert len(metrics["rounds"]) == 3
    made = metadata(folder)
    assert made["adapt"]["target_loss"] == "ce"
    assert (made["training"]["clip_norm"], made["training"]["weight_decay"]) == (35.0, 5e-4)
    assert made["training"]["lr"] == 3.72e-3


def test_shared_statistics_serve_both_sensors_and_no_other(folder: Path) -> None:
    metrics = run(folder, normalisation="shared")
    assert metrics["normalisation"] == "shared"
    net = load_bundle(folder / "models/adapted")
    assert net.config.sensors == (SOURCE, TARGET)
    assert net.config.normalisation == "shared"
    norms = [m for m in net.modules() if isinstance(m, SensorNorm2d)]
    assert norms
    assert all(len(norm.running_mean) == 1 for norm in norms)
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    assert torch.equal(net.predict(x, SOURCE), net.predict(x, TARGET))
    with pytest.raises(ParameterError, match=f"it knows {SOURCE}, {TARGET}"):
        net.predict(x, "capella-airborne")
    with pytest.raises(ParameterError, match="which sensor is this batch from"):
        net(x)


def test_stems_per_sensor_are_exported(folder: Path) -> None:
    run(folder, stems="per_sensor", target_loss="symmetric", balance="prior")
    net = load_bundle(folder / "models/adapted")
    stems = [m for m in net.modules() if isinstance(m, SensorStem)]
    assert len(stems) == 1
    first, second = (c.weight for c in stems[0].convolutions)
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert not torch.equal(first, second)


def test_statistics_alone_move_no_weight_and_leave_the_source(folder: Path) -> None:
    metrics = run(folder, labels="none")
    assert metrics["steps"] == 0
    assert metrics["rounds"] == []
    start = load_bundle(folder / "models/sar/disoptnet")
    adapted = load_bundle(folder / "models/adapted")
    for (name, before), (_, after) in zip(start.named_parameters(), adapted.named_parameters(), strict=True):
        assert torch.equal(before, after), name
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    assert torch.equal(start.predict(x, SOURCE), adapted.predict(x, SOURCE))
    assert not torch.equal(adapted.predict(x, SOURCE), adapted.predict(x, TARGET))
    with pytest.raises(ParameterError, match="it knows"):
        adapted.predict(x, "capella-airborne")
    assert (folder / "reports/adapt/curve.csv").read_text().strip() == "step,lr,loss,source,target"


def test_the_oracle_reads_the_targets_labels_and_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    losses = AdaptationTask.losses

    def noted(self: AdaptationTask, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        seen.append(set(batch))
        return losses(self, batch)

    monkeypatch.setattr(AdaptationTask, "losses", noted)
    metrics = run(folder, labels="truth")
    assert metrics["target_labels_used"] is True
    assert metadata(folder)["target_labels_used"] is True
    assert "for evidence only" in caplog.text
    assert metrics["steps"] == len(seen)
    assert all("target_labels" in batch for batch in seen), "from the first step on"


def test_a_collapsed_first_round_leaves_the_warm_up(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels_that(monkeypatch, 0.0, 0.0)
    metrics = run(folder, guard=GUARD)
    assert "class 1 has no label any more" in metrics["stopped"]
    assert [r["trained_on"] for r in metrics["rounds"]] == [False]
    assert metrics["rounds"][0]["refused_because"] == metrics["stopped"]
    assert "self-training stopped before it began" in caplog.text
    net = load_bundle(folder / "models/adapted")
    assert net.config.sensors == (SOURCE, TARGET)
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    assert not torch.equal(net.predict(x, SOURCE), net.predict(x, TARGET)), "the target has its statistics"
    assert metadata(folder)["metrics"]["stopped"] == metrics["stopped"]
    assert not list((folder / "var/checkpoints").rglob("*.pt"))
    assert json.loads((folder / "reports/adapt/details.json").read_text()) == metrics


def test_exchanged_classes_are_refused_under_the_defaults(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prior balances the shares and there is one round: the images alone tell."""
    make = LabelFolder.make

    def exchanged(
        self: LabelFolder, round_: int, net: torch.nn.Module, device: torch.device
    ) -> tuple[LabelSummary, str]:
        summary, digest = make(self, round_, net, device)  # type: ignore[arg-type]
        return replace(summary, contrast=tuple(-value for value in summary.contrast)), digest

    settings: dict[str, Any] = {"balance": "prior", "rounds": 1, "guard": {"max_shift": 4.0}}
    assert run(folder, **settings)["stopped"] is None
    monkeypatch.setattr(LabelFolder, "make", exchanged)
    assert "the classes look exchanged" in run(folder, **settings)["stopped"]


def test_a_collapsed_later_round_keeps_the_labels_before_it_even_after_a_kill(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels_that(monkeypatch, 0.3, 0.0, 0.3)
    limits = {**GUARD, "max_shift": 3.0}
    undisturbed = run(folder, guard=limits, rounds=3)
    first = load_bundle(folder / "models/adapted").state_dict()
    assert [r["trained_on"] for r in undisturbed["rounds"]] == [True, False, True]
    assert "round 2 are not trained on: class 1 has no label" in caplog.text
    assert undisturbed["rounds"][2]["agreement"] == [1.0, 1.0], "with round 1, whose labels were in use"
    before_step = AdaptationTask.before_step

    def dying(self: AdaptationTask, step: int) -> None:
        before_step(self, step)
        if step == undisturbed["rounds"][1]["step"]:
            assert self.pseudo is not None
            assert (int(self.pseudo.begun), int(self.pseudo.used)) == (1, 0)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(AdaptationTask, "before_step", dying)
    with pytest.raises(SystemExit):
        run(folder, guard=limits, rounds=3)
    monkeypatch.setattr(AdaptationTask, "before_step", before_step)
    resumed = run(folder, guard=limits, rounds=3)
    second = load_bundle(folder / "models/adapted").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert {**resumed, "seconds": 0} == {**undisturbed, "seconds": 0}


def test_zoomed_crops_keep_pseudo_labels_in_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: set[int] = set()
    shapes: set[tuple[int, ...]] = set()
    losses = AdaptationTask.losses

    def noted(self: AdaptationTask, ready: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if "pseudo_labels" in ready:
            values.update(ready["pseudo_labels"].flatten().tolist())
            shapes.update(tuple(ready[name].shape) for name in ("pseudo_labels", "target_sar", "source_sar"))
        return losses(self, ready)

    monkeypatch.setattr(AdaptationTask, "losses", noted)
    run(folder, jitter=(0.8, 1.25), target_loss="ce_dice")
    assert shapes == {(4, 1, 64, 64), (4, 4, 64, 64)}
    assert IGNORE in values
    assert values <= {0, 1, IGNORE}, "codes are never interpolated"


def test_class_shares_count_pixels_with_data(folder: Path) -> None:
    store = Store.open(folder / "data/prepared")
    rows = store.rows(SOURCE, "train")
    background, building = class_shares(store, SOURCE, rows)
    data = store.layer(SOURCE, "sar")[rows].any(axis=-1)
    truth = target_of(store.layer(SOURCE, "target")[rows])[data].mean()
    assert building == pytest.approx(truth, abs=0.02)
    assert background + building == pytest.approx(1)


def test_combinations_that_mean_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="set one of them to per_sensor"):
        run(folder, labels="none", normalisation="shared", inputs="shared")
    with pytest.raises(ValueError, match="balance: prior needs probabilities"):
        run(folder, balance="prior", fusion="logits")


def test_input_moments_alone_move_neither_weights_nor_statistics(folder: Path) -> None:
    metrics = run(folder, labels="none", normalisation="shared", inputs="per_sensor")
    assert (metrics["steps"], metrics["inputs"], metrics["normalisation"]) == (0, "per_sensor", "shared")
    start = load_bundle(folder / "models/sar/disoptnet")
    adapted = load_bundle(folder / "models/adapted")
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    assert torch.allclose(start.predict(x, SOURCE), adapted.predict(x, SOURCE), atol=0.05)
    assert adapted.sensor_input is not None
    with torch.no_grad(), use_sensor(adapted, TARGET):
        seen = adapted.sensor_input(x.float())
    # The target through the source's whole network, after its bands are given the source's moments.
    assert torch.allclose(start.predict(seen, SOURCE), adapted.predict(x, TARGET), atol=0.05)
    assert not torch.allclose(start.predict(x, SOURCE), adapted.predict(x, TARGET), atol=1.0)


def test_the_targets_pixels_get_the_sources_moments(folder: Path) -> None:
    run(folder, labels="none", inputs="per_sensor")
    net = load_bundle(folder / "models/adapted")
    assert net.config.inputs == "per_sensor"
    assert net.sensor_input is not None
    store = Store.open(folder / "data/prepared")
    mean, std = band_moments(store, SOURCE, store.rows(SOURCE, "train"))
    tiles = torch.from_numpy(store.layer(TARGET, "sar")[store.rows(TARGET, "train")]).permute(0, 3, 1, 2)
    with use_sensor(net, TARGET):
        matched = net.sensor_input(tiles.float())
    data = (tiles != 0).any(dim=1)
    pixels = matched.movedim(1, -1)[data]
    assert torch.allclose(pixels.mean(dim=0), mean, atol=2)
    assert torch.allclose(pixels.std(dim=0), std, atol=2)
    assert not matched.movedim(1, -1)[~data].any(), "no data stays no data"
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    start = load_bundle(folder / "models/sar/disoptnet")
    assert torch.equal(start.predict(x, SOURCE).argmax(1), net.predict(x, SOURCE).argmax(1))
