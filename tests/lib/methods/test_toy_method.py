"""A new method is one file and one entry of the section `methods`."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import components.lib.methods
from components.distill.__main__ import main as distill
from components.evaluate.__main__ import main as evaluate
from components.lib.engine.inputs import optical_statistics
from components.lib.engine.parameters import TrainingParameters
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from tests.lib.engine.tiny_store import SENSOR, TRAINING, make_store, write_parameters

MODULE = '''
"""Two convolutions that learn the labels, and the teacher's classes with some weight."""

from torch import nn

from components.lib.engine.distillation import DistillationTask
from components.lib.engine.supervised import with_total
from components.lib.engine.task import label_layer
from components.lib.losses.segmentation import cross_entropy
from components.lib.methods.base import Method, MethodParameters
from components.lib.architectures.deeplab import DeepLab
from components.lib.nets.network import SegmentationNetwork


class ToyParameters(MethodParameters):
    weight: float


class ToyNetwork(SegmentationNetwork):
    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, config.classes, 1))

    def forward(self, x):
        return self.layers(self.normalise(x))[..., : x.shape[-2], : x.shape[-1]]

    def supervised_maps(self, x):
        return (self(x),)


class ToyTask(DistillationTask):
    def __init__(self, student, teacher, weight):
        super().__init__(student, teacher)
        self.weight = weight

    def losses(self, batch):
        logits, (theirs, _) = self.student(batch["sar"]), self.teacher_outputs(batch["optical"])
        return with_total({
            "ce": cross_entropy(logits, label_layer(batch["target"], "footprint")),
            "toy": self.weight * cross_entropy(logits, theirs.argmax(dim=1)),
        })


class Toy(Method[ToyParameters]):
    name = kind = "toy"
    description = "two convolutions, for a test"
    parameters = ToyParameters
    network = ToyNetwork
    teacher = "deeplabv3plus"
    layers = ("sar", "optical", "target")

    def task(self, setup):
        teacher = setup.teacher_as(DeepLab)
        return ToyTask(setup.student_as(ToyNetwork), teacher, setup.parameters.weight)


METHOD = Toy()
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The one file, where the package finds it."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "toy.py").write_text(MODULE)
    monkeypatch.setattr(components.lib.methods, "__path__", [*components.lib.methods.__path__, str(folder)])
    importlib.invalidate_caches()
    yield
    sys.modules.pop("components.lib.methods.toy", None)


@pytest.mark.usefixtures("toy")
def test_a_toy_method_is_trained_stored_and_scored(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path / "data/prepared")
    write_parameters(
        repository, tmp_path, evaluate={"resamples": 20, "pictures": 1}, tracking={"uri": "none"}
    )
    path = tmp_path / "params.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["methods"]["toy"] = {"weight": 0.5, "lr": 0.05}  # the one entry
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    encoder = TrainingParameters.model_validate(document["training"] | TRAINING).encoder
    mean, std = optical_statistics()
    teacher = NetworkConfig(
        kind="deeplabv3plus",
        encoder=encoder,
        decoder_channels=TRAINING["decoder_channels"],
        modality="optical",
        sensors=(SENSOR,),
        input_mean=mean,
        input_std=std,
    )
    save_bundle(tmp_path / "models/optical/deeplabv3plus", build_network(teacher), {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["distill", "--method", "toy"])
    distill()

    net = load_bundle(Path("models/sar/toy"))
    assert net.config.kind == "toy"
    assert net.metadata["methods"] == {"toy": {"weight": 0.5, "lr": 0.05}}
    assert net.metadata["training"]["lr"] == 0.05
    metrics = json.loads(Path("reports/distill/toy/metrics.json").read_text())
    assert metrics["steps"] == 10
    assert Path("reports/distill/toy/curve.csv").read_text().startswith("step,lr,loss,ce,toy\n")

    shutil.copytree("models/sar/toy", "models/adapted")
    monkeypatch.setattr(sys, "argv", ["evaluate"])
    evaluate()
    results = json.loads(Path("reports/evaluate/results.json").read_text())["results"]
    rows = [result for result in results if result["model"] == "toy"]
    assert rows
    assert {row["description"] for row in rows} == {"two convolutions, for a test"}
