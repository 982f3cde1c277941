from __future__ import annotations

import pytest
import torch
from torch import Tensor

from components.lib.losses.distillation import feature_mse, soft_cross_entropy
from components.lib.methods.disoptnet import pixelwise_distillation


def pair(batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(batch, 2, 4, 5, generator=generator), torch.randn(batch, 2, 4, 5, generator=generator)


def pixelwise_distillation_summed(logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """PW exactly as released: summed over the images of the batch, averaged over their pixels."""
    soft = teacher_logits.softmax(dim=1)
    per_pixel = -(soft * logits.log_softmax(dim=1)).sum(dim=1)
    return per_pixel.sum() / (per_pixel.shape[-2] * per_pixel.shape[-1])


def test_soft_cross_entropy_against_brute_force() -> None:
    student, teacher = pair()
    total = 0.0
    for b in range(2):
        for y in range(4):
            for x in range(5):
                q = teacher[b, :, y, x].double().softmax(0)
                log_p = student[b, :, y, x].double().log_softmax(0)
                total -= float((q * log_p).sum())
    assert float(soft_cross_entropy(student, teacher)) == pytest.approx(total / 40, rel=1e-6)
    assert float(pixelwise_distillation_summed(student, teacher)) == pytest.approx(total / 20, rel=1e-6)


def test_pw_as_released_is_n_times_the_mean() -> None:
    # docs/methods/distillation.md#losses: N = 1, 2, 8 on identical content give 0.906, 1.812, 7.246.
    student, teacher = pair(1)
    one = float(pixelwise_distillation_summed(student, teacher))
    for n in (1, 2, 8):
        many = pixelwise_distillation_summed(student.repeat(n, 1, 1, 1), teacher.repeat(n, 1, 1, 1))
        assert float(many) == pytest.approx(n * one, rel=1e-5)
        assert float(many) == pytest.approx(n * float(soft_cross_entropy(student, teacher)), rel=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_pw_keeps_the_strength_of_a_batch_of_eight(batch: int) -> None:
    student, teacher = pair(batch)
    expected = 8 * float(soft_cross_entropy(student, teacher))
    assert float(pixelwise_distillation(student, teacher)) == pytest.approx(expected, rel=1e-6)
    if batch == 8:
        released = float(pixelwise_distillation_summed(student, teacher))
        assert float(pixelwise_distillation(student, teacher)) == pytest.approx(released, rel=1e-5)


def test_feature_mse_is_a_third_of_the_sum() -> None:
    names = ("f4", "f5", "decoder")
    student = {name: torch.randn(2, 3 + i, 4, 4) for i, name in enumerate(names)}
    teacher = {name: torch.randn(2, 3 + i, 4, 4) for i, name in enumerate(names)}
    expected = sum(float(((student[n].double() - teacher[n].double()) ** 2).mean()) for n in names) / 3
    assert float(feature_mse(student, teacher)) == pytest.approx(expected, rel=1e-6)
    alone = float(((student["f4"] - teacher["f4"]) ** 2).mean())
    assert float(feature_mse(student, teacher, ["f4"])) == pytest.approx(alone, rel=1e-6)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = pair()
    student.requires_grad_()
    teacher.requires_grad_()
    loss = pixelwise_distillation(student, teacher) + feature_mse({"f": student}, {"f": teacher}, ["f"])
    torch.autograd.backward(loss)
    assert student.grad is not None
    assert teacher.grad is None
