"""Feature losses: what they ignore, what they are a mean over, what is masked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from components.lib.losses.distillation import feature_mse, soft_cross_entropy
from components.lib.losses.reduction import at_size_of, weighted_mean
from components.lib.methods.concord import channelwise_distillation, relation_loss
from components.lib.methods.hfd_reading import feature_direction, logit_kl

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def relation(student: Tensor, teacher: Tensor, weight: Tensor | None = None) -> Tensor:
    boundary = torch.ones(student.shape[0], 64, 64)
    generator = torch.Generator().manual_seed(1)
    # As many as there are cells: every cell is drawn.
    return relation_loss(
        student, teacher, boundary, generator=generator, weight=weight, anchors=256, others=256
    )


LOSSES: dict[str, Loss] = {
    "channelwise": lambda s, t, w: channelwise_distillation(s, t, weight=w),
    "mse": lambda s, t, w: feature_mse({"f": s}, {"f": t}, ["f"], w),
    "direction": lambda s, t, w: feature_direction({"f": s}, {"f": t}, ["f"], w),
    "relation": relation,
}


def features(seed: int, batch: int = 3) -> Tensor:
    return torch.randn(batch, 6, 16, 16, generator=torch.Generator().manual_seed(seed))


def pixel_weight(batch: int = 3) -> Tensor:
    """Full-size weights (stride 4) that leave out the right half of the first image, all of the second."""
    weight = torch.ones(batch, 64, 64)
    weight[0, :, 32:] = 0
    weight[1] = 0
    return weight


@pytest.mark.parametrize("name", LOSSES)
def test_zero_for_equal_features_and_positive_otherwise(name: str) -> None:
    assert float(LOSSES[name](features(1), features(1), None)) == pytest.approx(0, abs=1e-6)
    assert float(LOSSES[name](features(1), features(2), None)) > 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_what_has_no_weight_has_no_influence(name: str) -> None:
    student, teacher = features(1).requires_grad_(), features(2)
    loss = LOSSES[name](student, teacher, pixel_weight())
    torch.autograd.backward(loss)
    assert student.grad is not None
    assert torch.count_nonzero(student.grad[1]) == 0
    assert torch.count_nonzero(student.grad[0, :, :, 8:]) == 0
    assert torch.count_nonzero(student.grad[0, :, :, :8]) > 0
    elsewhere = student.detach().clone()
    elsewhere[1] = 7.0
    elsewhere[0, :, :, 8:] = -3.0
    assert torch.allclose(LOSSES[name](elsewhere, teacher, pixel_weight()), loss.detach(), rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_repeating_the_batch_changes_nothing(name: str) -> None:
    student, teacher, weight = features(1), features(2), pixel_weight()
    once = LOSSES[name](student, teacher, weight)
    twice = LOSSES[name](student.repeat(2, 1, 1, 1), teacher.repeat(2, 1, 1, 1), weight.repeat(2, 1, 1))
    assert float(twice) == pytest.approx(float(once), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_weights_are_no_weights(name: str) -> None:
    student, teacher = features(1), features(2)
    everywhere = torch.full((3, 64, 64), 0.5)
    assert float(LOSSES[name](student, teacher, everywhere)) == pytest.approx(
        float(LOSSES[name](student, teacher, None)), rel=1e-4
    )


@pytest.mark.parametrize("name", LOSSES)
def test_no_weight_at_all_is_zero_with_a_zero_gradient(name: str) -> None:
    student = features(1).requires_grad_()
    loss = LOSSES[name](student, features(2), torch.zeros(3, 64, 64))
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0
    assert student.grad is not None
    assert torch.count_nonzero(student.grad) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_teacher_gets_no_gradient(name: str) -> None:
    student, teacher = features(1).requires_grad_(), features(2).requires_grad_()
    torch.autograd.backward(LOSSES[name](student, teacher, None))
    assert teacher.grad is None


def test_channelwise_against_brute_force() -> None:
    student, teacher, temperature = features(3, 2), features(4, 2), 2.5
    total = 0.0
    for b in range(2):
        for c in range(6):
            p = (teacher[b, c].double().flatten() / temperature).softmax(0)
            q = (student[b, c].double().flatten() / temperature).softmax(0)
            total += float((p * (p / q).log()).sum())
    expected = temperature**2 * total / 12
    assert float(channelwise_distillation(student, teacher, temperature=temperature)) == pytest.approx(
        expected, rel=1e-5
    )


def test_channelwise_ignores_a_channels_offset_but_not_where_it_responds() -> None:
    student = features(3)
    shifted = student + torch.randn(3, 6, 1, 1)
    assert float(channelwise_distillation(shifted, student)) == pytest.approx(0, abs=1e-5)
    assert float(channelwise_distillation(student.flip(3), student)) > 0.01


def test_channelwise_masked_is_channelwise_of_the_rest() -> None:
    student, teacher = features(5, 1), features(6, 1)
    weight = torch.zeros(1, 64, 64)
    weight[:, :32] = 1
    expected = channelwise_distillation(student[:, :, :8], teacher[:, :, :8])
    assert float(channelwise_distillation(student, teacher, weight=weight)) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_direction_ignores_the_length_and_is_at_most_four() -> None:
    teacher = features(7)
    assert float(feature_direction({"f": 9 * teacher}, {"f": teacher}, ["f"])) == pytest.approx(0, abs=1e-6)
    assert float(feature_direction({"f": -teacher}, {"f": teacher}, ["f"])) == pytest.approx(4, rel=1e-5)
    names = ("p2", "p3")
    student = {name: features(8 + i) for i, name in enumerate(names)}
    other = {name: features(18 + i) for i, name in enumerate(names)}
    cosine = torch.stack([F.cosine_similarity(student[n], other[n], dim=1).mean() for n in names]).mean()
    assert float(feature_direction(student, other, names)) == pytest.approx(2 - 2 * float(cosine), rel=1e-5)


def test_relation_against_brute_force_and_any_channel_count() -> None:
    student = features(1, 2)
    teacher = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(9))
    total = 0.0
    for b in range(2):
        s, t = (F.normalize(f[b].double().flatten(1), dim=0) for f in (student, teacher))
        total += float((s.T @ s - t.T @ t).square().mean())
    assert float(relation(student, teacher)) == pytest.approx(total / 2, rel=1e-4)


def test_relation_is_the_same_for_the_same_generator() -> None:
    boundary = (torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(2)) > 0.9).float()

    def loss(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        return float(
            relation_loss(features(1), features(2), boundary, generator=generator, anchors=20, others=10)
        )

    assert loss(5) == loss(5)
    assert loss(5) != loss(6)


def test_relation_starts_at_boundaries_only() -> None:
    boundary = torch.zeros(3, 64, 64)
    boundary[:, 20:24, 40:44] = 1  # cell (5, 10) at stride 4
    student, teacher = features(1).requires_grad_(), features(2)
    generator = torch.Generator().manual_seed(0)
    loss = relation_loss(student, teacher, boundary, generator=generator, anchors=50, others=1)
    torch.autograd.backward(loss)
    assert student.grad is not None
    touched = student.grad.abs().sum(1) > 0
    assert touched[:, 5, 10].all()
    assert int(touched.sum()) <= 2 * 3, "the boundary cell and the one other cell of each image"
    none = relation_loss(student, teacher, torch.zeros(3, 64, 64), generator=generator)
    assert float(none.detach()) == 0


def test_logit_kl_is_soft_cross_entropy_less_the_teachers_entropy() -> None:
    student, teacher = features(1)[:, :2], features(2)[:, :2]
    entropy = -(teacher.softmax(1) * teacher.log_softmax(1)).sum(1).mean()
    expected = float(soft_cross_entropy(student, teacher) - entropy)
    assert float(logit_kl(student, teacher, temperature=1.0)) == pytest.approx(expected, rel=1e-4)
    assert float(logit_kl(teacher, teacher)) == pytest.approx(0, abs=1e-6)
    doubled = float(logit_kl(2 * student, 2 * teacher, temperature=2.0))
    assert doubled == pytest.approx(4 * expected, rel=1e-4)


@pytest.mark.parametrize(
    ("side", "stride", "padded"), [(64, 4, 64), (200, 16, 224), (900, 16, 928), (33, 4, 64)]
)
def test_pixel_weights_at_feature_size(side: int, stride: int, padded: int) -> None:
    # Networks pad to multiples of 32, below and to the right.
    cells = torch.empty(1, 3, padded // stride, padded // stride)
    weight = at_size_of(torch.ones(1, side, side, dtype=torch.bool), cells)
    assert weight.shape == (1, padded // stride, padded // stride)
    assert float(weight.sum()) * stride**2 == pytest.approx(side**2)
    assert float(weight[0, 0, 0]) == 1


def test_weighted_mean_survives_what_is_masked() -> None:
    values = torch.tensor([1.0, float("inf"), 3.0])
    assert float(weighted_mean(values, torch.tensor([1.0, 0.0, 3.0]))) == 2.5
    assert float(weighted_mean(values, torch.tensor([False, False, False]))) == 0
