from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from components.contract.errors import MissingInputError, ParameterError
from components.contract.hashing import sha256_file
from components.distill.__main__ import main
from components.distill.parameters import DistillParameters, load_method_parameters
from components.distill.train import prepare_run
from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import TwoBranchNetwork
from components.lib.config.loader import load_parameters
from components.lib.engine.batch import to_batch
from components.lib.engine.inputs import optical_statistics
from components.lib.engine.loop import seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.stage import StageRun
from components.lib.inference.tiles import predict_tiles
from components.lib.methods.dmsd import DenseMultiScaleNetwork
from components.lib.methods.registry import load_method
from components.lib.methods.semantic_fpn import SemanticFPN
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.parts import aspp_rates
from components.lib.store.store import Store
from tests.lib.engine.tiny_store import SENSOR, TRAINING, make_store, write_parameters


def prepare(method: str, store: Store, training: TrainingParameters, distill: DistillParameters) -> StageRun:
    """Do in the working directory what the stage's command does before it trains."""
    chosen = load_method(method)
    return prepare_run(chosen, load_method_parameters(chosen), store, training, distill)


def save_teacher(folder: Path, encoder: str) -> None:
    """An untrained teacher: enough to be imitated."""
    mean, std = optical_statistics()
    seed_everything(99)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder=encoder,
        decoder_channels=TRAINING["decoder_channels"],
        modality="optical",
        sensors=(SENSOR,),
        input_mean=mean,
        input_std=std,
        aspp_rates=aspp_rates("crop", TRAINING["crop"]),
        contours=True,
    )
    save_bundle(folder, build_network(config), {})


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the stage has run with both methods; tracking is out of its reach."""
    folder = tmp_path_factory.mktemp("distill")
    make_store(folder / "data/prepared")
    nowhere = {"uri": "sqlite:////dev/null/mlflow.db"}
    write_parameters(repository, folder, training={"lr": 0.1, "threads": 2}, tracking=nowhere)
    training = load_parameters("training", TrainingParameters, folder / "params.yaml")
    save_teacher(folder / "models/optical/deeplabv3plus", training.encoder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for method in ("none", "disoptnet"):
            patch.setattr("sys.argv", ["distill", "--method", method])
            main()
    torch.set_num_threads(1)
    return folder


@pytest.fixture
def parameters(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Store, TrainingParameters, DistillParameters]:
    monkeypatch.chdir(trained)
    training = load_parameters("training", TrainingParameters)
    return Store.open(Path("data/prepared")), training, load_parameters("distill", DistillParameters)


def test_both_methods_publish_a_sar_network_with_its_provenance(trained: Path) -> None:
    control = load_bundle(trained / "models/sar/none")
    student = load_bundle(trained / "models/sar/disoptnet")
    assert isinstance(control, DeepLab)
    assert isinstance(student, TwoBranchNetwork)
    for net in (control, student):
        assert net.config.modality == "sar"
        assert net.config.sensors == (SENSOR,)
        assert net.metadata["threads"] == net.metadata["training"]["threads"] == 2, (
            "whatever conftest.py sets"
        )
    assert "teacher_sha256" not in control.metadata
    teacher = sha256_file(trained / "models/optical/deeplabv3plus/weights.safetensors")
    assert student.metadata["teacher_sha256"] == teacher


def test_control_and_student_have_the_same_budget(trained: Path) -> None:
    none, disoptnet = (
        json.loads((trained / f"reports/distill/{method}/details.json").read_text())
        for method in ("none", "disoptnet")
    )
    assert none["steps"] == disoptnet["steps"] == 10
    assert none["split"] == disoptnet["split"] == "selection"
    assert none["parameters"] < disoptnet["parameters"]


def test_control_and_student_see_the_same_crops(
    parameters: tuple[Store, TrainingParameters, DistillParameters],
) -> None:
    none, disoptnet = (prepare(method, *parameters) for method in ("none", "disoptnet"))
    for step in (0, 7):
        control, student = none.batches(step), disoptnet.batches(step)
        assert student.keys() - control.keys() == {"optical"}
        assert all(np.array_equal(layer, student[name]) for name, layer in control.items())


def test_the_curve_holds_every_term_and_those_of_the_labels_fall(trained: Path) -> None:
    with (trained / "reports/distill/disoptnet/curve.csv").open() as handle:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(handle)]
    named = ("seg_s", "seg_r", "pw", "seg_f", "features", "contours")
    assert rows[0].keys() == {"step", "lr", "loss", *named}
    for row in rows:
        terms = sum(row[name] for name in named)
        assert row["loss"] == pytest.approx(terms, rel=1e-4)
    # The others' size is that of an untrained teacher's features on the step's tiles, and of a rising ramp.
    for name in ("seg_s", "seg_f", "contours"):
        assert rows[-1][name] < 0.6 * rows[0][name]


def test_the_prediction_needs_no_optical_image(trained: Path, tmp_path: Path) -> None:
    net = load_bundle(trained / "models/sar/disoptnet")
    noisy = shutil.copytree(trained / "data/prepared", tmp_path / "noisy")
    [path] = noisy.rglob("optical.npy")
    optical = np.load(path, mmap_mode="r+", allow_pickle=False)
    optical[:] = np.random.default_rng(1).integers(0, 256, optical.shape, dtype=np.uint8)
    optical.flush()
    without = make_store(tmp_path / "without", optical=False)
    stores = (Store.open(trained / "data/prepared"), Store.open(noisy), without)
    given, noise, none = (dict(predict_tiles(net, store, SENSOR, [10, 12])) for store in stores)
    for row in (10, 12):
        assert np.array_equal(given[row].values, noise[row].values)
        assert np.array_equal(given[row].values, none[row].values)


def test_no_teacher_weight_is_in_the_student_at_the_start(
    parameters: tuple[Store, TrainingParameters, DistillParameters],
) -> None:
    run = prepare("disoptnet", *parameters)
    teacher = load_bundle(Path("models/optical/deeplabv3plus"))
    drawn = [value for value in teacher.parameters() if value.ndim > 1]
    started = [value for value in run.net.parameters() if value.ndim > 1]
    assert not any(a.shape == b.shape and torch.equal(a, b) for a in drawn for b in started)


@pytest.mark.parametrize("method", ["optical_init", "concord"])
def test_some_methods_start_from_the_teacher(
    parameters: tuple[Store, TrainingParameters, DistillParameters], method: str
) -> None:
    run = prepare(method, *parameters)
    teacher = load_bundle(Path("models/optical/deeplabv3plus")).state_dict()
    encoder = [name for name in run.net.state_dict() if name.startswith("encoder.")]
    assert encoder
    assert all(torch.equal(run.net.state_dict()[name], teacher[name]) for name in encoder)
    assert run.net.config.modality == "sar"
    assert "teacher_sha256" in run.provenance


@pytest.mark.parametrize(
    ("method", "kind"), [("semantic_fpn", SemanticFPN), ("dmsd", DenseMultiScaleNetwork)]
)
def test_lovecs_networks_are_trained_without_a_teacher(
    parameters: tuple[Store, TrainingParameters, DistillParameters], method: str, kind: type
) -> None:
    run = prepare(method, *parameters)
    assert isinstance(run.net, kind)
    assert "teacher_sha256" not in run.provenance
    losses = run.task(to_batch(run.batches(0), torch.device("cpu")))
    assert losses["loss"].item() > 0


def test_zoomed_crops_come_larger_with_their_scales_for_all_alike(
    parameters: tuple[Store, TrainingParameters, DistillParameters],
) -> None:
    store, training, distill = parameters
    training = training.model_copy(update={"scale_jitter": (0.8, 1.25), "contour_weight": 0.5})
    plain = training.model_copy(update={"scale_jitter": None, "contour_weight": 0.0})
    net_without = prepare("none", store, plain, distill).net
    run = prepare("none", store, training, distill)
    arrays = run.batches(3)
    assert arrays["sar"].shape[1] == round(training.crop / 0.8)
    assert arrays["scales"].shape == (training.batch,)
    losses = run.task(to_batch(arrays, torch.device("cpu")))
    assert losses.keys() == {"loss", "dice", "ce", "contours"}
    assert run.net.config.contours
    assert not net_without.config.contours


def test_hfd_reading_without_a_teacher_of_its_kind_names_the_parameter(
    parameters: tuple[Store, TrainingParameters, DistillParameters],
) -> None:
    with pytest.raises(
        ParameterError, match=r"teacher of its own kind.*models/optical/hfd_reading"
    ) as caught:
        prepare("hfd_reading", *parameters)
    assert "optical.kinds" in caught.value.next_step


def test_no_teacher_is_an_error_naming_the_stage(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "data/prepared")
    write_parameters(repository, tmp_path)
    monkeypatch.chdir(tmp_path)
    training = load_parameters("training", TrainingParameters)
    distill = load_parameters("distill", DistillParameters)
    with pytest.raises(MissingInputError, match="dvc repro optical"):
        prepare("disoptnet", store, training, distill)
    assert prepare("none", store, training, distill).name == "distill/none"


@pytest.mark.parametrize(("key", "other"), [("encoder", "resnet18"), ("decoder_channels", 32)])
def test_a_teacher_of_another_backbone_is_an_error(
    parameters: tuple[Store, TrainingParameters, DistillParameters], key: str, other: str | int
) -> None:
    store, training, distill = parameters
    with pytest.raises(ParameterError, match=rf"training\.{key} is {other!r}.*must share backbone"):
        prepare("disoptnet", store, training.model_copy(update={key: other}), distill)


def test_a_teacher_of_other_rates_is_an_error(
    parameters: tuple[Store, TrainingParameters, DistillParameters],
) -> None:
    store, training, distill = parameters
    match = r"training\.aspp_rates is \(12, 24, 36\) at crop 64, but the teacher .* has \(1, 2, 3\)"
    with pytest.raises(ParameterError, match=match):
        prepare("disoptnet", store, training.model_copy(update={"aspp_rates": "reference"}), distill)


def test_networks_have_the_rates_of_their_crop(
    parameters: tuple[Store, TrainingParameters, DistillParameters],
) -> None:
    store, training, distill = parameters
    assert prepare("none", store, training, distill).net.config.aspp_rates == (1, 2, 3)
    released = training.model_copy(update={"aspp_rates": "reference"})
    assert prepare("none", store, released, distill).net.config.aspp_rates == (12, 24, 36)


def test_an_unknown_method_names_the_nearest_one() -> None:
    with pytest.raises(ParameterError, match=r"unknown method 'disoptnett'; .* is 'disoptnet'"):
        load_method("disoptnett")


@pytest.mark.parametrize("profile", ["rehearsal", "smoke", "spacenet6"])
def test_every_profile_of_the_repository_fits(repository: Path, tmp_path: Path, profile: str) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("\nprofile: rehearsal\n", f"\nprofile: {profile}\n"), encoding="utf-8")
    distill = load_parameters("distill", DistillParameters, path)
    features = load_method_parameters(load_method("disoptnet"), path).features
    assert features == ["f4", "f5", "decoder"]
    assert distill.epochs == {"spacenet6": 200, "smoke": 4}.get(profile, distill.epochs)
