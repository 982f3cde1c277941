from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from components.lib.methods.sgsln.blocks import (
    Cbam,
    Cgsu,
    Decoder,
    Down,
    Dpfa,
    Encoder,
    attention_kernel,
    over_channels,
    over_places,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("channels", "width"), [(32, 3), (64, 3), (128, 5), (256, 5), (512, 5)])
def test_the_width_of_the_convolution_over_channels(channels: int, width: int) -> None:
    assert attention_kernel(channels) == width


def test_cgsu_processes_even_channels_and_passes_odd_ones() -> None:
    block, x = Cgsu(8, 0.0).eval(), torch.randn(2, 8, 6, 6)
    y = block(x)
    assert torch.equal(y[:, 4:], x[:, 1::2])
    assert torch.equal(y[:, :4], block.process(x[:, ::2]))
    assert (y[:, :4] >= 0).all()


def test_down_is_a_strided_convolution_beside_a_max_pooling() -> None:
    block, x = Down(4, 0.0).eval(), torch.randn(1, 4, 8, 8)
    y = block(x)
    assert y.shape == (1, 8, 4, 4)
    assert torch.equal(y[:, 4:], F.max_pool2d(x, 2))
    assert torch.equal(y[:, :4], block.convolution(x))


def test_cbam_weights_channels_and_then_places() -> None:
    block, x = Cbam(32), torch.randn(2, 32, 5, 7)
    pooled = torch.stack([x.flatten(2).mean(-1), x.flatten(2).max(-1).values], dim=1)
    channel = F.conv1d(pooled, block.channel.weight, block.channel.bias, padding=1).sigmoid()
    weighted = x * channel.reshape(2, 32, 1, 1)
    maps = torch.stack([weighted.mean(1), weighted.max(1).values], dim=1)
    place = F.conv2d(maps, block.place.weight, block.place.bias, padding=3).sigmoid()
    torch.testing.assert_close(block(x), weighted * place)


def test_an_encoder_adds_its_attention_to_its_features() -> None:
    block, x = Encoder(16, 0.0).eval(), torch.randn(1, 16, 8, 8)
    features = block.features(x)
    torch.testing.assert_close(block(x), features + block.attention(features))
    assert block(x).shape == (1, 32, 4, 4)


def test_a_decoder_repeats_pixels_and_merges_the_skip() -> None:
    block, coarse, skip = Decoder(8).eval(), torch.randn(1, 8, 3, 3), torch.randn(1, 4, 6, 6)
    repeated = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(block(coarse, skip), block.merge(torch.cat([repeated, skip], dim=1)))
    assert block(coarse, skip).shape == (1, 4, 6, 6)


def test_dpfa_weights_both_dates_against_each_other() -> None:
    block, a, b = Dpfa(32), torch.randn(2, 32, 5, 5), torch.randn(2, 32, 5, 5)
    scores = torch.cat([over_places(a), over_places(b)], dim=1)
    channel = torch.stack([layer(scores)[:, 0] for layer in block.channel]).softmax(dim=0)
    maps = torch.cat([over_channels(a), over_channels(b)], dim=1)
    place = torch.stack([layer(maps)[:, 0] for layer in block.place]).softmax(dim=0)
    expected = sum(
        (channel[i][:, :, None, None] + place[i][:, None] + 1) * date for i, date in enumerate((a, b))
    )
    torch.testing.assert_close(block(a, b), expected)
    assert len({id(layer) for layer in [*block.channel, *block.place]}) == 4


def test_dpfa_of_equal_dates_and_equal_scores_is_four_times_the_date() -> None:
    block, a = Dpfa(32), torch.randn(1, 32, 4, 4)
    for layer in (*block.channel, *block.place):
        assert isinstance(layer, nn.Conv1d | nn.Conv2d)
        nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    # Weights of a half per channel and per place, and one: two for each date.
    torch.testing.assert_close(block(a, a), 4 * a)
