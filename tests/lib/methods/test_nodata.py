"""Pixels without data teach nothing, in the loss of no method."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from components.lib.engine.distillation import DistillationTask
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.task import TrainingTask
from components.lib.methods.base import Setup
from components.lib.methods.registry import load_method, load_teacher, method_names
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.singlemap import SingleMapNetwork
from tests.lib.engine.tiny import parameters
from tests.lib.methods.test_disoptnet import ENCODER, tensors

SENSOR = "simulated-airborne"
CHANGE = ("sgsln", "siamese_unet", "exchange_unet")
"""Change methods, whose losses are of another kind (tests/lib/change/training)."""

OWN = {"disoptnet": {"features": ["f4", "f5", "decoder"], "output": "fused"}}
"""Parameters of methods that have no defaults for them."""

BLACK = 20
"""Rows without data, at the top: the layover of a building there lies further up still."""


def settings() -> TrainingParameters:
    return parameters(contour_weight=0.5, crop=64)


def network(kind: str, modality: str) -> Any:
    torch.manual_seed(1)
    config = NetworkConfig(
        kind=kind, modality=modality, encoder=ENCODER, decoder_channels=16, sensors=("a",), contours=True
    )
    return build_network(config)


def task_of(name: str) -> TrainingTask:
    method = load_method(name)
    teacher = None if method.teacher is None else network(method.teacher, "optical")
    assert teacher is None or isinstance(teacher, SingleMapNetwork)
    task = method.task(
        Setup(
            net=network(method.kind, "sar"),
            teacher=teacher,
            parameters=method.parameters(**OWN.get(name, {})),
            training=settings(),
            sensor=SENSOR,
            steps=10,
        )
    ).eval()
    task.before_step(5)
    return task


def loss_of(task: TrainingTask, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    # Draws of a step are a function of the step, so every call repeats them.
    task.before_step(5)
    return task.losses(batch)["loss"]


def check(task: TrainingTask, image: str) -> None:
    """Change the labels where ``image`` is black, and then elsewhere."""
    batch = tensors(0)
    for layer in {image, "optical"} & batch.keys():
        batch[layer][:, :, :BLACK] = 0
    batch["target"][:, :, :BLACK] = 0
    honest = loss_of(task, batch)
    lies = {**batch, "target": batch["target"].clone()}
    lies["target"][:, :, :BLACK] = 1
    assert torch.equal(loss_of(task, lies), honest)
    lies["target"][:, :, BLACK:] = 1 - lies["target"][:, :, BLACK:]
    assert not torch.equal(loss_of(task, lies), honest)


@pytest.mark.parametrize("name", sorted(set(method_names()) - {"deeplabv3plus", *CHANGE}))
def test_labels_without_data_do_not_teach_a_student(name: str) -> None:
    check(task_of(name), "sar")


@pytest.mark.parametrize("kind", ["deeplabv3plus", "hfd_reading", "pp_linknet"])
def test_labels_without_data_do_not_teach_a_teacher(kind: str) -> None:
    check(load_teacher(kind).task(network(kind, "optical"), settings()).eval(), "optical")


@pytest.mark.parametrize("name", ["disoptnet", "concord", "hfd_reading"])
def test_the_teachers_maps_do_not_teach_where_the_radar_has_no_data(name: str) -> None:
    task, batch = task_of(name), tensors(0)
    batch["sar"][:, :, :BLACK] = 0
    maps: list[torch.Tensor] = []
    assert isinstance(task, DistillationTask)
    forward = task.teacher_outputs

    def other_teacher(images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        logits, features = forward(images)
        logits = logits.clone()
        logits[:, :, :BLACK] = -logits[:, :, :BLACK]
        maps.append(logits)
        return logits, features

    honest = loss_of(task, batch)
    task.teacher_outputs = other_teacher  # type: ignore[method-assign]
    assert torch.equal(loss_of(task, batch), honest)
    assert maps
