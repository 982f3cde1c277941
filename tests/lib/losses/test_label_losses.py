"""Symmetric cross-entropy, contours, and the masks that say where a loss applies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from components.lib.geo.orientation import align
from components.lib.losses.contours import CONTOUR_WEIGHTS, contour_loss
from components.lib.losses.segmentation import IGNORE, cross_entropy, data_mask
from components.lib.losses.symmetric import symmetric_cross_entropy
from components.lib.methods.concord import agreement_mask, layover_mask, layover_px
from components.lib.tasks.labels import LABELS
from components.simulation.noise import Textures
from tests.simulation.test_simulate_radar import house, image


def example(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(2, 2, 6, 5, generator=generator), torch.randint(
        0, 2, (2, 6, 5), generator=generator
    )


def test_symmetric_cross_entropy_against_brute_force() -> None:
    logits, labels = example()
    labels[0, 0, :3] = IGNORE
    total, count = 0.0, 0
    for b, y, x in np.ndindex(*labels.shape):
        k = int(labels[b, y, x])
        if k == IGNORE:
            continue
        p = logits[b, :, y, x].double().softmax(0)
        total += 1.5 * -math.log(p[k]) - 0.25 * float(p[1 - k]) * -4.0
        count += 1
    loss = symmetric_cross_entropy(logits, labels, forward=1.5, reverse=0.25, ignore_index=IGNORE)
    assert float(loss) == pytest.approx(total / count, rel=1e-5)


def test_symmetric_cross_entropy_weights_and_limits() -> None:
    logits, labels = example(1)
    assert float(symmetric_cross_entropy(logits, labels, reverse=0.0)) == pytest.approx(
        float(cross_entropy(logits, labels)), rel=1e-6
    )
    weight = torch.zeros(2, 6, 5)
    weight[1, 2, 3] = 2.0
    alone = symmetric_cross_entropy(logits[1:, :, 2:3, 3:4], labels[1:, 2:3, 3:4])
    assert float(symmetric_cross_entropy(logits, labels, weight=weight)) == pytest.approx(
        float(alone), rel=1e-5
    )
    nothing = symmetric_cross_entropy(logits, torch.full_like(labels, IGNORE), ignore_index=IGNORE)
    assert float(nothing) == 0
    # A certain and wrong prediction costs the reverse term no more than 4.
    certain = torch.tensor([[[[99.0]], [[-99.0]]]])
    assert float(symmetric_cross_entropy(certain, torch.ones(1, 1, 1), forward=0.0, reverse=1.0)) == 4.0


def test_a_teacher_is_trusted_where_it_is_right() -> None:
    logits, truth = example(2)
    agree = agreement_mask(logits, truth)
    assert torch.equal(agree, logits.argmax(1) == truth)
    assert torch.equal(agreement_mask(logits, truth.to(torch.uint8)), agree)
    assert torch.equal(logits.argmax(1)[agree], truth[agree])


def test_contour_loss_against_brute_force() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 3, 5, 4, generator=generator)
    target = torch.randint(0, 2, (2, 3, 5, 4), generator=generator, dtype=torch.uint8)
    target[:, 2] = 0  # a batch without contacts
    expected = 0.0
    for k, factor in enumerate((1.0, 0.25, 0.1)):
        p, t = logits[:, k].double().sigmoid(), target[:, k].double()
        bce = float(-(t * p.log() + (1 - t) * (1 - p).log()).mean())
        dice = float(1 - 2 * (p * t).sum() / (p.sum() + t.sum())) if t.any() else 0.0
        expected += factor * (bce + dice)
    assert CONTOUR_WEIGHTS == (1.0, 0.25, 0.1)
    assert len(LABELS) == 3
    assert float(contour_loss(logits, target)) == pytest.approx(expected, rel=1e-5)
    doubled = contour_loss(logits.repeat(2, 1, 1, 1), target.repeat(2, 1, 1, 1))
    assert float(doubled) == pytest.approx(expected, rel=1e-5)


def test_contour_loss_leaves_out_what_has_no_weight() -> None:
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(1, 3, 6, 4, generator=generator).requires_grad_()
    target = torch.randint(0, 2, (1, 3, 6, 4), generator=generator)
    weight = torch.ones(1, 6, 4)
    weight[:, 3:] = 0
    loss = contour_loss(logits, target, weight=weight)
    torch.autograd.backward(loss)
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[:, :, 3:]) == 0
    assert float(loss.detach()) == pytest.approx(
        float(contour_loss(logits.detach()[:, :, :3], target[:, :, :3])), rel=1e-5
    )


def test_data_is_what_is_not_black_in_every_band() -> None:
    pixels = torch.zeros(1, 4, 2, 2, dtype=torch.uint8)
    pixels[0, 3, 0, 1] = 1
    assert data_mask(pixels).tolist() == [[[False, True], [False, False]]]


def test_layover_length_by_hand() -> None:
    assert layover_px(45.0, 1.0, 10.0) == 10
    assert layover_px(35.0, 0.5, 14.0) == 40  # 14 / tan(35) = 19.99 m
    assert layover_px(35.0, 0.5) == 23


def test_layover_is_the_band_above_each_footprint() -> None:
    footprints = torch.zeros(1, 10, 5, dtype=torch.uint8)
    footprints[0, 6:8, 1:3] = 1
    footprints[0, 1, 4] = 1
    band = layover_mask(footprints, 3)
    expected = torch.zeros(1, 10, 5, dtype=torch.bool)
    expected[0, 3:6, 1:3] = True
    expected[0, 0, 4] = True
    assert torch.equal(band, expected)
    both = layover_mask(footprints.repeat(2, 1, 1), torch.tensor([3.0, 1.0]))
    assert torch.equal(both[0], band[0])
    assert torch.equal(both[1], layover_mask(footprints, 1)[0])
    assert not torch.equal(both[0], both[1])
    mirrored = layover_mask(footprints.flip(2), 3)
    assert torch.equal(mirrored, band.flip(2)), "a left-right flip keeps the look direction"
    assert not torch.equal(layover_mask(footprints.flip(1), 3), band.flip(1)), "an up-down flip does not"


@pytest.mark.parametrize("orientation", [0, 1])
def test_the_simulators_layover_lies_in_the_band(orientation: int) -> None:
    flat = Textures(1)
    flat._fields = {name: np.zeros_like(field) for name, field in flat._fields.items()}
    # One house of 14 m, rows and columns 100 to 140; flag 1 is seen from the south and stored turned.
    hh = align(image(house(), flat, from_south=orientation == 1)[0], orientation)
    footprints = np.zeros((1, 240, 240), dtype=np.uint8)
    footprints[0, 100:140, 100:140] = 1
    band = layover_mask(torch.from_numpy(footprints), layover_px(35.0, 0.5, 14.0))[0].numpy()
    ground = np.median(hh[:40])
    assert np.median(hh[band]) > 1.5 * ground
    below = np.zeros_like(band)
    below[142:150, 105:135] = True
    assert np.median(hh[below]) < 0.5 * ground, "shadow on the far side"
    outside = ~band & (footprints[0] == 0)
    outside[140:] = False
    assert np.median(hh[outside]) == pytest.approx(ground, rel=0.05)
