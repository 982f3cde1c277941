"""PP-LinkNet's focal pair, against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from components.lib.losses.focal import RELEASED, FocalPair

LOGITS = torch.tensor([[0.0, 2.0], [-1.0, 3.0]])
TRUTH = torch.tensor([[1, 1], [0, 0]])
PIXELS = [
    # alpha, error 1 - p_t, cross-entropy
    (0.25, 0.5, math.log(2)),
    (0.25, 0.11920292202211755, 0.1269280110429725),
    (0.75, 0.2689414213699951, 0.31326168751822286),
    (0.75, 0.9525741268224334, 3.048587351573742),
]
"""Of p = 1/2, 0.8808, 0.2689 and 0.9526: sigmoids of the logits."""


def test_the_loss_is_the_one_computed_by_hand() -> None:
    expected = sum(alpha * math.sqrt(error) * entropy for alpha, error, entropy in PIXELS) / 4
    assert expected == pytest.approx(0.6217235, abs=1e-7)
    assert float(RELEASED.loss(LOGITS, TRUTH)) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_the_detached_weight_times_the_error() -> None:
    logits = LOGITS.clone().requires_grad_()
    torch.autograd.backward(RELEASED.loss(logits, TRUTH))
    signed = [
        alpha * math.sqrt(error) * error * sign / 4
        for (alpha, error, _), sign in zip(PIXELS, (-1, -1, 1, 1), strict=True)
    ]
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx(signed, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_certain_pixels_have_a_finite_gradient(dtype: torch.dtype) -> None:
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0], dtype=dtype, requires_grad=True)
    loss = RELEASED.loss(logits, torch.tensor([1, 0, 0, 1]))
    torch.autograd.backward(loss)
    assert loss.item() == pytest.approx((0.75 + 0.25) * 200 / 4)
    assert logits.grad is not None
    assert logits.grad.float().tolist() == pytest.approx([0, 0, 0.75 / 4, -0.25 / 4])


def test_pixels_without_weight_count_for_nothing() -> None:
    weight = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    expected = sum(a * math.sqrt(e) * h for a, e, h in (PIXELS[0], PIXELS[2])) / 2
    odd = LOGITS.clone()
    odd[:, 1] = float("inf")
    assert float(RELEASED.loss(LOGITS, TRUTH, weight)) == pytest.approx(expected, rel=1e-6)
    assert float(RELEASED.loss(odd, TRUTH, weight)) == pytest.approx(expected, rel=1e-6)
    assert float(RELEASED.loss(LOGITS, TRUTH, torch.zeros(2, 2))) == 0


def test_without_focus_and_with_equal_weights_it_is_half_of_the_cross_entropy() -> None:
    plain = FocalPair(alpha=0.5, gamma=0.0, views=1, summed=0.5)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(LOGITS, TRUTH.float())
    assert torch.allclose(plain.loss(LOGITS, TRUTH), entropy / 2)


def test_loss_and_threshold_are_one_pair() -> None:
    assert FocalPair(alpha=0.25, gamma=0.5, views=8, summed=2.0) == RELEASED
    assert RELEASED.threshold == 0.25
    assert RELEASED.mask(torch.tensor([1.9, 2.0, 2.1])).tolist() == [False, False, True]


def test_the_thresholds_probability_is_where_equal_evidence_for_both_classes_ends_up() -> None:
    """Half of the pixels are positive: positives a third as heavy draw the probability below one half."""
    logits = torch.zeros(2, requires_grad=True)
    truth = torch.tensor([1, 0])
    for _ in range(200):
        shared = logits.mean().expand(2)
        (gradient,) = torch.autograd.grad(RELEASED.loss(shared, truth), logits)
        logits = (logits - 2.0 * gradient).detach().requires_grad_()
    settled = float(logits.mean().sigmoid().detach())
    assert RELEASED.threshold < settled < 0.5
