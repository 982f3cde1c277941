from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from components.contract.errors import ParameterError
from components.lib.config.loader import load_parameters
from components.lib.engine.inputs import labelled_rows
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.selection import pixel_histogram
from components.lib.engine.stage import HEADLINE
from components.lib.methods.registry import load_teacher
from components.lib.nets.bundle import load_bundle
from components.lib.store.store import Store
from components.optical.__main__ import main
from components.optical.parameters import OpticalParameters
from components.optical.train import prepare_run
from tests.lib.engine.tiny_store import SENSOR, make_store, write_parameters

TEACHER = load_teacher("deeplabv3plus")


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the stage has run."""
    folder = tmp_path_factory.mktemp("optical")
    make_store(folder / "data/prepared")
    write_parameters(repository, folder, training={"lr": 0.1})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["optical"])
        main()
    return folder


def test_the_bundle_is_an_optical_network_with_its_provenance(trained: Path) -> None:
    net = load_bundle(trained / "models/optical/deeplabv3plus")
    assert net.config.modality == "optical"
    assert net.config.sensors == (SENSOR,)
    assert net.config.input_mean == (127.5,) * 4
    assert net.config.input_std == (31.875,) * 4
    assert net.metadata["optical"]["rot90"] is True
    assert net.metadata["seed"] == 17
    assert len(net.metadata["data_sha256"]) == len(net.metadata["stage_code_sha256"]) == 64
    assert net.predict(torch.zeros(1, 4, 96, 96, dtype=torch.uint8), SENSOR).shape == (1, 2, 96, 96)


def test_metrics_are_of_the_selection_split_and_called_simulated(trained: Path) -> None:
    metrics = json.loads((trained / "reports/optical/deeplabv3plus/details.json").read_text())
    assert metrics["split"] == "selection"
    assert metrics["tiles"] == 2
    assert metrics["simulated"] is True
    assert metrics["steps"] == 10, "10 tiles x 4 crops / batch 4"
    assert 0.0 <= metrics["iou"] <= metrics["f1"] <= 1.0
    assert 0.0 <= metrics["precision"] <= 1.0
    assert (metrics["device"], metrics["number_format"]) == ("cpu", "32-true")
    headline = json.loads((trained / "reports/optical/deeplabv3plus/metrics.json").read_text())
    assert headline.pop("crops_per_second") > 0
    assert headline == {name: round(metrics[name], 4) for name in HEADLINE}


def test_the_threshold_is_the_best_on_the_selection_split_and_goes_with_the_model(trained: Path) -> None:
    metrics = json.loads((trained / "reports/optical/deeplabv3plus/details.json").read_text())
    net = load_bundle(trained / "models/optical/deeplabv3plus")
    store = Store.open(trained / "data/prepared")
    histogram = pixel_histogram(
        net, store, SENSOR, store.rows(SENSOR, "selection"), device=torch.device("cpu")
    )
    assert metrics["threshold"] == net.config.threshold == histogram.best_threshold()
    assert metrics["iou"] == histogram.counts(net.config.threshold).iou >= metrics["iou_half"]
    assert metrics["iou_half"] == histogram.counts(0.5).iou
    assert metrics["pr_auc"] == histogram.average_precision()


def test_the_curve_has_every_logged_step_and_falls(trained: Path) -> None:
    with (trained / "reports/optical/deeplabv3plus/curve.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [int(row["step"]) for row in rows] == [2, 4, 6, 8, 10]
    assert rows[0].keys() == {"step", "lr", "loss", "dice", "ce", "contours"}
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[-1]["lr"]) == pytest.approx(0.05 * (1 + math.cos(0.9 * math.pi)))


def test_no_checkpoint_is_left(trained: Path) -> None:
    assert not list((trained / "var").rglob("*.pt"))


def test_the_run_is_tracked(trained: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds of import that the other tests need not pay

    client = MlflowClient(f"sqlite:///{trained}/var/mlflow.db")
    experiment = client.get_experiment_by_name("stormsight")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name.split()[0] == "optical/deeplabv3plus"
    assert run.data.tags["simulated"] == "true"
    assert run.data.params["training.lr"] == "0.1"
    metrics = json.loads((trained / "reports/optical/deeplabv3plus/details.json").read_text())
    assert run.data.metrics["selection_iou"] == pytest.approx(metrics["iou"])
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [2, 4, 6, 8, 10]


def test_equal_seeds_give_equal_networks_and_crops(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    training = load_parameters("training", TrainingParameters)
    optical = load_parameters("optical", OpticalParameters)
    store = Store.open(Path("data/prepared"))
    first, second = (prepare_run(TEACHER, store, training, optical) for _ in range(2))
    assert first.provenance == second.provenance
    weights = second.net.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in first.net.state_dict().items())
    assert all(np.array_equal(layer, second.batches(3)[name]) for name, layer in first.batches(3).items())
    assert first.batches(0).keys() == {"optical", "target", "scales"}


def test_the_teacher_may_have_its_own_batch(repository: Path, tmp_path: Path) -> None:
    write_parameters(repository, tmp_path, optical={"batch": 5})
    path = tmp_path / "params.yaml"
    optical = load_parameters("optical", OpticalParameters, path)
    training = load_parameters("training", TrainingParameters, path)
    run = prepare_run(TEACHER, make_store(tmp_path / "store"), training, optical)
    assert run.training.batch == 5
    assert run.steps == 8


def test_a_share_of_the_labels_is_the_westernmost_tiles(repository: Path, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    assert labelled_rows(store, SENSOR, 1.0).tolist() == [*range(10)]
    assert labelled_rows(store, SENSOR, 0.3).tolist() == [0, 1, 2]
    assert labelled_rows(store, SENSOR, 0.01).tolist() == [0]
    write_parameters(repository, tmp_path, optical={"label_share": 0.5})
    path = tmp_path / "params.yaml"
    optical = load_parameters("optical", OpticalParameters, path)
    run = prepare_run(TEACHER, store, load_parameters("training", TrainingParameters, path), optical)
    assert run.steps == 5


def test_a_misspelt_parameter_is_named_with_the_nearest_one(repository: Path, tmp_path: Path) -> None:
    write_parameters(repository, tmp_path, optical={"epoch": 3})
    with pytest.raises(ParameterError, match=r"optical\.epoch: unknown key; .* is 'epochs'"):
        load_parameters("optical", OpticalParameters, tmp_path / "params.yaml")


@pytest.mark.parametrize("profile", ["rehearsal", "smoke", "spacenet6"])
def test_every_profile_of_the_repository_fits(repository: Path, tmp_path: Path, profile: str) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("\nprofile: rehearsal\n", f"\nprofile: {profile}\n"), encoding="utf-8")
    training = load_parameters("training", TrainingParameters, path)
    optical = load_parameters("optical", OpticalParameters, path)
    if profile == "spacenet6":
        assert (training.encoder, training.crop, training.batch) == ("efficientnet-b3", 512, 8)
        assert (training.schedule, training.sar_normalisation) == ("reference", "reference")
        assert (optical.epochs, optical.batch) == (200, 16)


def test_the_teacher_of_another_kind_goes_into_a_folder_of_its_own(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "data/prepared")
    write_parameters(repository, tmp_path)
    monkeypatch.chdir(tmp_path)
    training = load_parameters("training", TrainingParameters)
    run = prepare_run(
        load_teacher("hfd_reading"), store, training, load_parameters("optical", OpticalParameters)
    )
    assert (run.name, run.model_folder) == ("optical/hfd_reading", Path("models/optical/hfd_reading"))
    assert run.net.config.kind == "hfd_reading"
    assert run.net.config.modality == "optical"


def test_every_kind_is_a_command_of_its_own() -> None:
    """So that each teacher is cached alone, and several processes train one network."""
    with pytest.raises(ParameterError, match=r"unknown teacher 'hfd_readin'; .* is 'hfd_reading'"):
        load_teacher("hfd_readin")
    with pytest.raises(ParameterError, match="unknown teacher 'concord'"):
        load_teacher("concord")


def test_other_kinds_change_nothing_about_a_teacher(repository: Path, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    write_parameters(repository, tmp_path)
    path = tmp_path / "params.yaml"
    training = load_parameters("training", TrainingParameters, path)
    optical = load_parameters("optical", OpticalParameters, path)
    more = optical.model_copy(update={"kinds": ("deeplabv3plus", "hfd_reading")})
    first, second = (prepare_run(TEACHER, store, training, chosen) for chosen in (optical, more))
    assert first.provenance == second.provenance
