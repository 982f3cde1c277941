from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from components.lib.engine.loop import fit
from components.lib.losses.segmentation import segmentation_loss
from components.lib.methods.hfd_reading import (
    HFD_FEATURES,
    HfdReading,
    HfdReadingParameters,
    HfdReadingTask,
    feature_direction,
)
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from tests.lib.engine.tiny import parameters
from tests.lib.methods.test_disoptnet import ENCODER, batches, tensors


def network(seed: int, modality: str) -> HfdReading:
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"encoder": ENCODER, "decoder_channels": 16, "sensors": ("a",)}
    net = build_network(NetworkConfig(kind="hfd_reading", modality=modality, **shape))
    assert isinstance(net, HfdReading)
    return net


def make_task(ramp_steps: int = 0, **switches: Any) -> HfdReadingTask:
    settings = HfdReadingParameters(**switches)
    return HfdReadingTask(network(1, "sar"), network(2, "optical"), settings, ramp_steps=ramp_steps)


def test_the_total_is_segmentation_and_the_direction_of_adapted_features() -> None:
    task, batch = make_task(weight=3.0).eval(), tensors(0)
    batch["sar"][:, :, 32:] = 0
    losses = task.losses(batch)
    logits, features = task.student.forward_features(batch["sar"])
    _, theirs = task.teacher.forward_features(batch["optical"])
    seen = torch.ones(4, 64, 64)
    seen[:, 32:] = 0
    distance = feature_direction(task.adapters(features), theirs, HFD_FEATURES, seen)
    seg = segmentation_loss(logits[:, :, :32], batch["target"][:, 0, :32])
    expected = seg + 3 * distance
    assert losses["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("switches", "terms"),
    [
        ({"weight": 0.0}, {"seg"}),
        ({"distance": "mse"}, {"seg", "features"}),
        ({"logits": 1.0}, {"seg", "features", "logits"}),
    ],
)
def test_the_ablations_of_the_reference_are_switches(switches: dict[str, Any], terms: set[str]) -> None:
    assert make_task(**switches).losses(tensors(0)).keys() - {"loss"} == terms


def test_adapters_are_trained_and_checkpointed_but_no_part_of_the_student(tmp_path: Path) -> None:
    task = make_task(ramp_steps=2)
    before = {name: value.clone() for name, value in task.adapters.state_dict().items()}
    fit(task, batches, parameters(), 4, name="hfd", checkpoint_dir=tmp_path)
    assert any(not torch.equal(value, before[name]) for name, value in task.adapters.state_dict().items())
    assert any(name.startswith("adapters.") for name in task.state_dict())
    assert not any("adapter" in name for name in task.student.state_dict())
