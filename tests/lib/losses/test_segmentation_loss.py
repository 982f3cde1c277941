from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from components.lib.losses.segmentation import (
    IGNORE,
    cross_entropy,
    dice_loss,
    ignore_nodata,
    segmentation_loss,
)


def example(seed: int = 0, shape: tuple[int, int, int] = (3, 6, 5)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    b, h, w = shape
    logits = 3 * torch.randn(b, 2, h, w, generator=generator)
    return logits, torch.randint(0, 2, (b, h, w), generator=generator)


def brute_force(logits: Tensor, target: Tensor, ignore: int | None = None) -> tuple[float, float]:
    """Dice and CE pixel by pixel in float64."""
    overlap, total, present = np.zeros(2), np.zeros(2), np.zeros(2)
    ce, count = 0.0, 0
    z, t = logits.double().numpy(), target.numpy()
    for b, y, x in np.ndindex(*t.shape):
        if t[b, y, x] == ignore:
            continue
        p = np.exp(z[b, :, y, x]) / np.exp(z[b, :, y, x]).sum()
        ce -= np.log(p[t[b, y, x]])
        count += 1
        for k in range(2):
            truth = float(t[b, y, x] == k)
            overlap[k] += p[k] * truth
            total[k] += p[k] + truth
            present[k] += truth
    dice = sum(1 - 2 * overlap[k] / max(total[k], 1e-7) for k in range(2) if present[k] > 0) / 2
    return float(dice), ce / max(count, 1)


@pytest.mark.parametrize("seed", range(3))
def test_formulas_against_brute_force(seed: int) -> None:
    logits, target = example(seed)
    dice, ce = brute_force(logits, target)
    assert float(dice_loss(logits, target)) == pytest.approx(dice, abs=1e-6)
    assert float(cross_entropy(logits, target)) == pytest.approx(ce, rel=1e-6)
    assert float(segmentation_loss(logits, target)) == pytest.approx(dice + ce, rel=1e-6)


def test_ignored_pixels_count_for_nothing() -> None:
    logits, target = example(4)
    target[:, ::2] = IGNORE
    dice, ce = brute_force(logits, target, IGNORE)
    assert float(dice_loss(logits, target, ignore_index=IGNORE)) == pytest.approx(dice, abs=1e-6)
    assert float(cross_entropy(logits, target, ignore_index=IGNORE)) == pytest.approx(ce, rel=1e-6)
    logits.requires_grad_()
    torch.autograd.backward(segmentation_loss(logits, target.to(torch.uint8), ignore_index=IGNORE))
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[:, :, ::2]) == 0
    assert torch.count_nonzero(logits.grad[:, :, 1::2]) > 0


def test_everything_ignored_is_zero_with_a_zero_gradient() -> None:
    logits, target = example(5)
    logits.requires_grad_()
    loss = segmentation_loss(logits, torch.full_like(target, IGNORE), ignore_index=IGNORE)
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_absent_class_contributes_zero_and_the_mean_still_halves() -> None:
    logits, _ = example(1)
    background = torch.zeros(logits.shape[0], *logits.shape[2:], dtype=torch.long)
    p = logits.double().softmax(1)[:, 0]
    expected = (1 - 2 * p.sum() / (p.sum() + p.numel())) / 2
    assert float(dice_loss(logits, background)) == pytest.approx(float(expected), abs=1e-6)


def test_dice_sums_over_the_whole_batch() -> None:
    logits, target = example(2)
    target[0] = 0
    apart = torch.stack([dice_loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)]).mean()
    assert not torch.isclose(dice_loss(logits, target), apart)


def test_perfect_prediction_is_near_zero() -> None:
    _, target = example(3)
    logits = 50.0 * torch.stack([1.0 - 2 * target, 2.0 * target - 1], dim=1)
    assert float(segmentation_loss(logits, target)) < 1e-6


def test_half_precision_input_is_computed_in_single() -> None:
    logits, target = example(6)
    loss = segmentation_loss(logits.bfloat16(), target.to(torch.uint8))
    assert loss.dtype == torch.float32
    assert torch.equal(loss, segmentation_loss(logits.bfloat16().float(), target))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_classes_are_ignored_where_every_band_is_zero(dtype: torch.dtype) -> None:
    classes = torch.tensor([[[0, 1, 1, 0]]], dtype=dtype)
    image = torch.tensor([[[[0, 0, 3, 0]], [[0, 7, 0, 0]]]], dtype=torch.uint8)
    ignored = ignore_nodata(classes, image)
    assert ignored.tolist() == [[[IGNORE, 1, 1, IGNORE]]]
    assert ignored.dtype == dtype
