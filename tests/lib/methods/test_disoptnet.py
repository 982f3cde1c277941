from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import TwoBranchNetwork
from components.lib.engine.loop import fit
from components.lib.engine.task import TrainingTask
from components.lib.losses.distillation import soft_cross_entropy
from components.lib.losses.segmentation import cross_entropy, dice_loss
from components.lib.methods.disoptnet import DisOptNetTask
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from tests.lib.engine.tiny import parameters

ENCODER = "timm-mobilenetv3_small_minimal_100"


def teacher_and_student() -> tuple[DeepLab, TwoBranchNetwork]:
    torch.manual_seed(1)
    shape: dict[str, Any] = {"encoder": ENCODER, "decoder_channels": 16, "sensors": ("a",)}
    teacher = build_network(NetworkConfig(kind="deeplabv3plus", modality="optical", **shape))
    student = build_network(NetworkConfig(kind="disoptnet", **shape))
    assert isinstance(teacher, DeepLab)
    assert isinstance(student, TwoBranchNetwork)
    return teacher, student


def batches(step: int) -> dict[str, np.ndarray[Any, Any]]:
    generator = np.random.default_rng(step)
    layers = {name: generator.integers(0, 256, (4, 64, 64, 4), dtype=np.uint8) for name in ("sar", "optical")}
    return {**layers, "target": (layers["sar"][..., :3] > 128).astype(np.uint8)}


def tensors(step: int) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(layer).permute(0, 3, 1, 2) for name, layer in batches(step).items()}


@pytest.fixture
def task() -> DisOptNetTask:
    teacher, student = teacher_and_student()
    return DisOptNetTask(student, teacher, ["f4", "f5", "decoder"])


def test_the_teacher_is_unchanged_after_an_epoch(task: DisOptNetTask, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    student_before = {name: value.clone() for name, value in task.student.state_dict().items()}
    fit(task, batches, parameters(), 5, name="distill", checkpoint_dir=tmp_path)
    after = task.teacher.state_dict()
    assert any("running_var" in name for name in before)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not any(module.training for module in task.teacher.modules())
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
    moved = task.student.state_dict()
    changed = [name for name, value in student_before.items() if not torch.equal(value, moved[name])]
    assert len(changed) == len(student_before), "every weight and statistic of the student moves"


def test_the_teacher_is_neither_checkpointed_nor_optimised(task: DisOptNetTask) -> None:
    of_teacher = {id(parameter) for parameter in task.teacher.parameters()}
    assert not of_teacher & {id(parameter) for parameter in task.trainable_parameters()}
    assert all(name.startswith("student.") for name in task.state_dict())
    assert len(task.state_dict()) == len(task.student.state_dict())
    task.train()
    assert not task.teacher.training


def test_the_teacher_follows_the_task(task: DisOptNetTask) -> None:
    task.to(torch.float64)
    assert next(task.teacher.parameters()).dtype == torch.float64


def test_the_total_is_the_references_sum(task: DisOptNetTask) -> None:
    task.eval()
    batch = tensors(0)
    losses = task.losses(batch)
    y = batch["target"][:, 0]
    z_s, z_r, z_f, features, *_ = task.student.forward_branches(batch["sar"])
    z_t, taught = task.teacher.forward_features(batch["optical"])

    def seg(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return dice_loss(logits, target) + cross_entropy(logits, target)

    mse = sum(((features[name] - taught[name]) ** 2).mean() for name in ("f4", "f5", "decoder"))
    expected = (
        seg(z_s, y) + seg(z_r, z_t.argmax(1)) + 8 * soft_cross_entropy(z_r, z_t) + seg(z_f, y) + mse / 3
    )
    assert losses["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_soft_term_rises_to_its_full_weight(task: DisOptNetTask) -> None:
    task.eval()
    task.ramp_steps = 10
    soft = []
    for step in (0, 5, 10, 50):
        task.before_step(step)
        soft.append(task.losses(tensors(0))["pw"].item())
    assert soft[0] == 0
    assert soft[1] == pytest.approx(soft[2] / 2)
    assert soft[2] == soft[3]


def test_branch_r_sees_the_truth_only_through_the_fusion(task: DisOptNetTask) -> None:
    losses = task.losses(tensors(0))
    torch.autograd.backward([losses["seg_r"], losses["pw"], losses["features"]])
    assert all(parameter.grad is None for parameter in task.student.fusion.parameters())
    assert all(parameter.grad is None for parameter in task.student.decoder_s.parameters())
    assert all(parameter.grad is not None for parameter in task.student.decoder_r.parameters())
    assert all(parameter.grad is not None for parameter in task.student.stage4_r.parameters())
    task.eval()
    batch = tensors(0)
    opposite = {**batch, "target": 1 - batch["target"]}
    given, flipped = task.losses(batch), task.losses(opposite)
    for term in ("seg_r", "pw", "features"):
        assert torch.equal(given[term], flipped[term])
    assert not torch.equal(given["seg_f"], flipped["seg_f"])


def test_it_is_a_training_task(task: DisOptNetTask) -> None:
    assert isinstance(task, TrainingTask)
    assert sum(p.numel() for p in task.trainable_parameters()) == sum(
        p.numel() for p in task.student.parameters()
    )
