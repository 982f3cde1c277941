"""A new method is one file and one entry of the section `methods`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from shutil import ignore_patterns

import pytest
import yaml

from components.contract.identity import stage_code_hash
from components.lib.engine.inputs import optical_statistics
from components.lib.engine.parameters import TrainingParameters
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.parts import aspp_rates
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
def tree(repository: Path, tmp_path: Path) -> Path:
    """A copy of the pipeline with the one file, and a prepared store."""
    shutil.copytree(repository / "components", tmp_path / "components", ignore=ignore_patterns("__pycache__"))
    shutil.copyfile(repository / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "components/lib/methods/toy.py").write_text(MODULE)
    make_store(tmp_path / "data/prepared")
    return tmp_path


def save_teacher(folder: Path, encoder: str) -> None:
    mean, std = optical_statistics()
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder=encoder,
        decoder_channels=TRAINING["decoder_channels"],
        aspp_rates=aspp_rates("crop", TRAINING["crop"]),
        modality="optical",
        sensors=(SENSOR,),
        input_mean=mean,
        input_std=std,
    )
    save_bundle(folder, build_network(config), {})


def run(tree: Path, *command: str) -> None:
    """Run a stage of the copied tree as a user does."""
    subprocess.run([sys.executable, "-m", *command], cwd=tree, check=True)


def test_a_toy_method_is_trained_stored_and_scored(repository: Path, tree: Path) -> None:
    write_parameters(repository, tree, evaluate={"pictures": 1}, tracking={"uri": "none"})
    path = tree / "params.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["methods"]["toy"] = {"weight": 0.5, "lr": 0.05}  # the one entry
    document["profiles"][document["profile"]].setdefault("methods", {})["toy"] = {}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    encoder = TrainingParameters.model_validate(document["training"] | TRAINING).encoder
    save_teacher(tree / "models/optical/deeplabv3plus", encoder)
    run(tree, "components.distill", "--method", "toy")

    model = json.loads((tree / "models/sar/toy/model.json").read_text())
    assert model["config"]["kind"] == "toy"
    assert model["metadata"]["methods"] == {"toy": {"weight": 0.5, "lr": 0.05}}
    assert model["metadata"]["training"]["lr"] == 0.05
    assert model["metadata"]["stage_code_sha256"] == stage_code_hash("distill@toy", tree)
    metrics = json.loads((tree / "reports/distill/toy/details.json").read_text())
    assert metrics["steps"] == 10
    assert (tree / "reports/distill/toy/curve.csv").read_text().startswith("step,lr,loss,ce,toy\n")

    shutil.copytree(tree / "models/sar/toy", tree / "models/adapted")
    run(tree, "components.evaluate")
    results = json.loads((tree / "reports/evaluate/results.json").read_text())["results"]
    rows = [result for result in results if result["model"] == "toy"]
    assert rows
    assert {row["description"] for row in rows} == {"two convolutions, for a test"}
