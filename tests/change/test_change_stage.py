from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.change.__main__ import main
from components.change.parameters import ChangeParameters
from components.change.train import HEADLINE, ChangeRun, prepare_run
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.change.nets.bundle import load_change_bundle
from components.lib.change.store.store import PairStore
from components.lib.change.terms import CHANGED, UNCHANGED, UNKNOWN, Modality
from components.lib.change.training.validation import Validation
from components.lib.config.loader import load_parameters
from components.lib.engine.batch import to_batch
from components.lib.engine.parameters import TrainingParameters
from components.lib.methods.registry import load_change
from tests.lib.change.training.stores import SIDE, make_store
from tests.lib.engine.tiny_store import write_parameters

CHANGE: dict[str, Any] = {"methods": ["sgsln"], "crop": 32, "batch": 2, "epochs": 4}
METHODS: dict[str, Any] = {"sgsln": {"width": 8, "lr": 0.005}}


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the stage has run."""
    folder = tmp_path_factory.mktemp("change")
    make_store(folder / "data/pairs/simulated")
    write_parameters(repository, folder, change=CHANGE, methods=METHODS, tracking={"uri": "none"})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["change", "--method", "sgsln"])
        main()
    return folder


def details(trained: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((trained / "reports/change/sgsln/details.json").read_text())
    return found


def test_the_bundle_is_a_change_network_with_its_provenance(trained: Path) -> None:
    net = load_change_bundle(trained / "models/change/sgsln")
    assert net.config.width == 8
    assert net.config.same_kind
    assert net.config.before.sensor == "tiny"
    assert net.config.before.mean == pytest.approx((64.5,) * 3, abs=1)
    assert net.config.after.mean[0] > net.config.before.mean[0] + 10
    assert net.metadata["seed"] == 17
    assert net.metadata["change"]["preset"] == "short"
    assert net.metadata["preset"]["first_evaluation"] == 2, "half of the epochs"
    assert "methods" not in net.metadata["change"]
    assert len(net.metadata["data_sha256"]) == len(net.metadata["stage_code_sha256"]) == 64
    assert net.metadata["metrics"]["f1"] == details(trained)["f1"]


def test_scores_are_of_the_validation_split_and_called_simulated(trained: Path) -> None:
    metrics = details(trained)
    assert (metrics["split"], metrics["tiles"], metrics["steps"]) == ("val", 2, 12)
    assert metrics["simulated"] is True
    assert len(metrics["f1_by_evaluation"]) == 1
    assert 0.0 <= metrics["iou"] <= metrics["f1"] <= 1.0
    assert metrics["f1"] >= metrics["f1_half"]
    headline = json.loads((trained / "reports/change/sgsln/metrics.json").read_text())
    assert headline.pop("crops_per_second") > 0
    assert headline == {name: round(metrics[name], 4) for name in HEADLINE}


def test_the_threshold_is_the_best_on_the_validation_split(trained: Path) -> None:
    net, store = (
        load_change_bundle(trained / "models/change/sgsln"),
        PairStore.open(trained / "data/pairs/simulated"),
    )
    validation = Validation(
        before=store.layer("before_optical"),
        after=store.layer("after_optical"),
        label=store.layer("label"),
        rows=store.rows("val"),
        pixels=SIDE**2,
    )
    histogram = validation.histogram(net)
    assert details(trained)["threshold"] == net.config.threshold == histogram.best_threshold()


def test_the_curve_falls_and_no_checkpoint_is_left(trained: Path) -> None:
    with (trained / "reports/change/sgsln/curve.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert rows[0].keys() == {"step", "lr", "loss", "dice", "bce", "auxiliary"}
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert not list((trained / "var").rglob("*.pt"))


def run_of(
    repository: Path, folder: Path, method: str = "sgsln", *, splits: tuple[str, ...] | None = None,
    modalities: tuple[Modality, Modality] = ("optical", "optical"), labels: dict[str, int] | None = None,
    **change: Any,
) -> ChangeRun:  # fmt: skip
    """Prepare a training without taking a step."""
    own = {} if splits is None else {"splits": splits}
    store = make_store(folder / "data/pairs", modalities=modalities, labels=labels, **own)
    write_parameters(repository, folder, change=CHANGE | change, methods=METHODS)
    path, chosen = folder / "params.yaml", load_change(method)
    parameters = load_parameters(f"methods.{method}", chosen.parameters, path)
    training = load_parameters("training", TrainingParameters, path)
    return prepare_run(
        chosen, parameters, store, training, load_parameters("change", ChangeParameters, path).training
    )


def test_equal_seeds_give_equal_networks_and_crops(repository: Path, tmp_path: Path) -> None:
    first, second = (run_of(repository, tmp_path) for _ in range(2))
    assert first.provenance == second.provenance
    weights = second.net.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in first.net.state_dict().items())
    assert all(np.array_equal(layer, second.batches(3)[name]) for name, layer in first.batches(3).items())
    assert first.batches(0)["before"].shape == (2, 32, 32, 3)
    assert first.task.rate_factor(0) < 1


@pytest.mark.parametrize("method", ["sgsln", "siamese_unet", "exchange_unet"])
def test_a_radar_image_may_be_the_second_date(repository: Path, tmp_path: Path, method: str) -> None:
    run = run_of(repository, tmp_path, method, modalities=("optical", "sar"), after="sar")
    assert not run.net.config.same_kind
    assert "swapped" not in run.batches(0)
    assert run.steps == 12
    assert len(run.net.config.after.mean) == 4


def test_a_split_without_pairs_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="split val holds no tile"):
        run_of(repository, tmp_path, splits=("train", "test"))


def test_splits_without_change_are_told_and_unknown_ones_refused(
    repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(repository, tmp_path, labels={"train": UNCHANGED, "val": UNCHANGED})
    losses = run.task.losses(to_batch(run.batches(0), torch.device("cpu")))
    assert torch.isfinite(losses["loss"])
    assert "split train has no changed pixel, so that nothing can be learned from it" in caplog.text
    assert "split val has no changed pixel, so that F1 is 0" in caplog.text
    everything = run_of(repository, tmp_path, labels={"train": CHANGED})
    assert torch.isfinite(
        everything.task.losses(to_batch(everything.batches(0), torch.device("cpu")))["loss"]
    )
    with pytest.raises(BadDataError, match="the split val has no known pixel in any of its 2 tiles"):
        run_of(repository, tmp_path, labels={"val": UNKNOWN})


def test_images_that_the_data_set_has_not_are_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no layer 'after_sar'"):
        run_of(repository, tmp_path, after="sar")


def test_a_crop_larger_than_a_tile_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="crop 96 does not fit into tiles of 64 pixels"):
        run_of(repository, tmp_path, crop=96)


def test_a_method_of_another_stage_is_refused() -> None:
    with pytest.raises(ParameterError, match="unknown change method 'concord'"):
        load_change("concord")
