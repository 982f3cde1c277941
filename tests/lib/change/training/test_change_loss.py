"""Values worked out by hand from the formula."""

from __future__ import annotations

import math

import pytest
import torch

from components.lib.change.nets.network import ChangeMaps
from components.lib.change.pair import UNKNOWN
from components.lib.change.training.loss import AUXILIARY_WEIGHT, change_loss, cross_entropy, dice

LN3 = math.log(3)  # the logit of three quarters
E = 1e-5


def square(values: list[list[float]]) -> torch.Tensor:
    return torch.tensor([[values]], dtype=torch.float32)


def test_dice_and_cross_entropy_of_three_quarters() -> None:
    logits, truth = square([[LN3, LN3], [-LN3, -LN3]]), square([[1, 0], [1, 0]])
    known = torch.ones_like(truth)
    # p = 3/4, 3/4, 1/4, 1/4; overlap 3/4 + 1/4 = 1; sums 2 and 2.
    assert float(dice(logits, truth, known)) == pytest.approx(1 - (2 + E) / (4 + E))
    # -ln 3/4, -ln 1/4, -ln 1/4, -ln 3/4.
    assert float(cross_entropy(logits, truth, known)) == pytest.approx(
        -(math.log(3 / 4) + math.log(1 / 4)) / 2
    )


def test_the_sum_has_the_auxiliary_maps_on_the_mean_of_four_labels() -> None:
    label = torch.tensor([[[[1, 0], [0, 0]]]], dtype=torch.uint8)
    maps = ChangeMaps(torch.zeros(1, 1, 2, 2), (torch.zeros(1, 1, 1, 1), square([[LN3]])))
    terms = change_loss(maps, label)
    assert float(terms["dice"]) == pytest.approx(1 - (1 + E) / (3 + E))
    assert float(terms["bce"]) == pytest.approx(math.log(2))
    # y' = 1/4. At p = 1/2: overlap 1/8, sums 3/4; at p = 3/4: overlap 3/16, sums 1.
    first = 1 - (1 / 4 + E) / (3 / 4 + E) + math.log(2)
    second = 1 - (3 / 8 + E) / (1 + E) - (math.log(3 / 4) / 4 + 3 * math.log(1 / 4) / 4)
    assert float(terms["auxiliary"]) == pytest.approx(0.2 * (first + second))
    assert AUXILIARY_WEIGHT == 0.2


def test_dice_is_of_the_whole_batch() -> None:
    """Two images of which one has no change: not the mean of two losses."""
    logits = torch.tensor([100.0, 0.0, -100.0, 0.0]).reshape(2, 1, 1, 2)
    truth = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(2, 1, 1, 2)
    # p = 1, 1/2, 0, 1/2: overlap 3/2, sums 2 and 2.
    assert float(dice(logits, truth, torch.ones_like(truth))) == pytest.approx(1 - (3 + E) / (4 + E))


def test_without_change_a_sure_network_loses_nothing() -> None:
    terms = change_loss(ChangeMaps(torch.full((2, 1, 4, 4), -50.0)), torch.zeros(2, 4, 4, dtype=torch.uint8))
    assert float(terms["dice"]) == pytest.approx(0.0, abs=1e-6)
    assert float(terms["bce"]) == pytest.approx(0.0, abs=1e-6)
    assert terms.keys() == {"dice", "bce"}


def test_unknown_pixels_count_in_no_term() -> None:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, 2, (2, 1, 8, 8), dtype=torch.uint8, generator=generator)
    label[:, :, :, 5:] = UNKNOWN
    change, auxiliary = (torch.randn(2, 1, n, n, generator=generator) for n in (8, 4))
    terms = change_loss(ChangeMaps(change, (auxiliary,)), label)
    other = change.clone()
    other[..., 5:] = torch.inf
    halves = auxiliary.clone()
    halves[..., 2:] = -70.0  # cells of columns 4 and 5, and beyond
    assert change_loss(ChangeMaps(other, (halves,)), label) == terms
    left = change_loss(ChangeMaps(change[..., :4], (auxiliary[..., :2],)), label[..., :4])
    assert float(left["auxiliary"]) == pytest.approx(float(terms["auxiliary"]), rel=1e-6)


def test_a_batch_of_nothing_known_teaches_nothing() -> None:
    change = torch.randn(1, 1, 4, 4, requires_grad=True)
    maps = ChangeMaps(change, (change[..., ::2, ::2],))
    total = torch.stack(list(change_loss(maps, torch.full((1, 4, 4), UNKNOWN)).values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    assert total.item() == 0
    assert change.grad is not None
    assert not change.grad.any()
