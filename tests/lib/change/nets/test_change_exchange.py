from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from components.lib.change.nets.exchange import exchange_channels, exchange_columns

EXCHANGES = (exchange_channels, exchange_columns)


def features() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 8, 4, 8, generator=generator) for _ in range(2))
    return first, second


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("every", [2, 4])
def test_an_exchange_is_its_own_inverse(exchange: Callable[..., tuple[Tensor, Tensor]], every: int) -> None:
    first, second = features()
    moved = exchange(first, second, every)
    assert not torch.equal(moved[0], first)
    back = exchange(*moved, every)
    assert torch.equal(back[0], first)
    assert torch.equal(back[1], second)


def test_odd_channels_change_places() -> None:
    first, second = features()
    moved, other = exchange_channels(first, second)
    assert torch.equal(moved[:, ::2], first[:, ::2])
    assert torch.equal(moved[:, 1::2], second[:, 1::2])
    assert torch.equal(other[:, 1::2], first[:, 1::2])


def test_a_quarter_is_every_fourth_channel() -> None:
    first, second = features()
    moved, _ = exchange_channels(first, second, every=4)
    assert [bool((moved[:, c] == second[:, c]).all()) for c in range(8)] == [c % 4 == 3 for c in range(8)]


def test_odd_columns_change_places() -> None:
    first, second = features()
    moved, _ = exchange_columns(first, second)
    assert torch.equal(moved[..., ::2], first[..., ::2])
    assert torch.equal(moved[..., 1::2], second[..., 1::2])
