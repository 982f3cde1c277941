from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from components.lib.change.nets.bundle import build_change
from components.lib.change.nets.network import ChangeNetwork
from components.lib.methods.sgsln.network import Sgsln
from tests.lib.change.configs import OPTICAL, SAR, config, image


def network(**changes: Any) -> Sgsln:
    torch.manual_seed(0)
    net = build_change(config(after=OPTICAL, **changes))
    assert isinstance(net, Sgsln)
    return net


@pytest.mark.parametrize(("width", "count"), [(32, 6_036_375), (16, 1_513_795), (8, 381_743)])
def test_the_three_sizes_have_the_published_numbers_of_parameters(width: int, count: int) -> None:
    assert sum(parameter.numel() for parameter in network(width=width).parameters()) == count


def multiplications(net: ChangeNetwork, side: int) -> int:
    """Multiplications of all convolutions for a pair of ``side`` pixels."""
    found: list[int] = []

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv1d | nn.Conv2d)
        found.append(output.numel() * layer.weight[0].numel())

    for layer in net.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            layer.register_forward_hook(count)
    net.predict(*(image(seed, batch=1, height=side, width=side) for seed in (1, 2)))
    return sum(found)


@pytest.mark.parametrize(("width", "published"), [(32, 11.45e9), (16, 2.95e9), (8, 0.80e9)])
def test_the_three_sizes_cost_what_was_published(width: int, published: float) -> None:
    """Published counts hold normalisations as well, which are a larger share of narrow networks."""
    at_256 = multiplications(network(width=width), 64) * (256 / 64) ** 2
    assert 0.94 * published < at_256 < published


def test_dropout_has_the_published_places() -> None:
    net = network(dropout=0.3)
    places = [name for name, layer in net.named_modules() if isinstance(layer, nn.Dropout)]
    assert len(places) == 14
    assert sum(name.startswith("path.start") for name in places) == 2
    for level in range(4):
        assert sum(name.startswith(f"path.encoders.{level}.") for name in places) == 3
    for name in places:
        # Behind the ReLU of CGSU's processed half and of Down's convolution.
        before = net.get_submodule(f"{name[: name.rindex('.')]}.{int(name.rpartition('.')[2]) - 1}")
        assert isinstance(before, nn.ReLU)
    assert {layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)} == {0.3}
    assert not any(isinstance(layer, nn.Dropout2d) for layer in net.modules())


def test_maps_have_the_size_of_the_images_and_half_of_it() -> None:
    maps = network().supervised(image(1, height=40, width=52), image(2, height=40, width=52))
    assert maps.change.shape == (2, 1, 40, 52)
    assert [drawn.shape for drawn in maps.auxiliary] == [(2, 1, 20, 26)] * 2


def deep_gradient(exchange: str, channel: int, every: int = 2) -> float:
    """Gradient that the input of the second date gets from a channel of the first one at stride 8."""
    net = network(exchange=exchange, exchange_every=every).eval()
    before = torch.randn(1, 3, 32, 32)
    after = torch.randn(1, 3, 32, 32, requires_grad=True)
    first, _ = net.encode(before, after)
    first[2][:, channel].square().sum().backward()  # type: ignore[no-untyped-call]
    return 0.0 if after.grad is None else float(after.grad.abs().sum())


def test_odd_channels_lead_to_the_other_dates_encoder_and_even_ones_do_not() -> None:
    assert deep_gradient("published", 1) > 0
    assert deep_gradient("published", 2) == 0
    assert deep_gradient("none", 1) == 0
    assert deep_gradient("published", 1, every=4) == 0
    assert deep_gradient("published", 3, every=4) > 0


def test_shallow_features_are_the_dates_own_and_deep_ones_are_exchanged() -> None:
    net, before, after = network().eval(), *torch.randn(2, 1, 3, 32, 32)
    first, second = net.encode(before, after)
    net.config = net.config.model_copy(update={"exchange": "none"})
    own_first, own_second = net.encode(before, after)
    for level in (0, 1):
        assert torch.equal(first[level], own_first[level])
        assert torch.equal(second[level], own_second[level])
    # The exchanged map is the skip of stride 8, and what stride 16 is made of.
    assert torch.equal(first[2][:, ::2], own_first[2][:, ::2])
    assert torch.equal(first[2][:, 1::2], own_second[2][:, 1::2])
    assert torch.equal(second[2][:, 1::2], own_first[2][:, 1::2])
    assert not torch.equal(first[3], own_first[3])


def test_the_early_exchange_is_at_stride_2() -> None:
    net, (before, after) = (
        network(exchange="early").eval(),
        (torch.randn(1, 3, 32, 32), torch.randn(1, 3, 32, 32)),
    )
    first, _ = net.encode(before, after)
    net.config = net.config.model_copy(update={"exchange": "none"})
    own, other = net.encode(before, after)
    assert torch.equal(first[0][:, ::2], own[0][:, ::2])
    assert torch.equal(first[0][:, 1::2], other[0][:, 1::2])
    assert not torch.equal(first[1], own[1])


def test_swapped_images_swap_the_auxiliary_maps_up_to_their_heads() -> None:
    net = network().eval()
    with torch.no_grad():
        net.auxiliary[1].load_state_dict(net.auxiliary[0].state_dict())
        ahead = net.supervised(image(1), image(2))
        back = net.supervised(image(2), image(1))
    torch.testing.assert_close(ahead.auxiliary[0], back.auxiliary[1])
    torch.testing.assert_close(ahead.auxiliary[1], back.auxiliary[0])
    # Fusion has convolutions of its own for each date.
    assert not torch.allclose(ahead.change, back.change)


def test_all_parameters_learn() -> None:
    net = network()
    maps = net.supervised(image(1), image(2))
    torch.stack([drawn.square().mean() for drawn in (maps.change, *maps.auxiliary)]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_dates_of_other_modalities_have_first_convolutions_and_statistics_of_their_own() -> None:
    net = build_change(config(before=OPTICAL, after=SAR))
    assert isinstance(net, Sgsln)
    shared = sum(p.numel() for p in build_change(config(after=OPTICAL)).parameters())
    # A second stem: 3x3 convolution of four bands, and scale and shift.
    assert sum(p.numel() for p in net.parameters()) == shared + 9 * 4 * 8 + 16
    net.train()(image(1), image(2, bands=4))
    means = [value for name, value in net.path.named_buffers() if name.endswith("running_mean")]
    assert means
    assert all(not torch.equal(mean[0], mean[1]) for mean in means)
    assert math.isfinite(float(net.predict(image(1), image(2, bands=4)).mean()))
