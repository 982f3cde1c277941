from __future__ import annotations

import pytest
import torch
from torch import nn

from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import SCSE, FeatureFusion
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.parts import aspp_rates

SMALL = "timm-mobilenetv3_small_minimal_100"


def test_scse_by_hand() -> None:
    torch.manual_seed(0)
    gate = SCSE(32)
    x = torch.randn(2, 32, 5, 7)
    squeeze, excite = gate.channel_gate[1], gate.channel_gate[3]
    pooled = x.mean((2, 3))
    hidden = torch.relu(pooled @ squeeze.weight[:, :, 0, 0].T + squeeze.bias)  # type: ignore[index, operator]
    channel = torch.sigmoid(hidden @ excite.weight[:, :, 0, 0].T + excite.bias)  # type: ignore[index, operator]
    one = gate.spatial_gate[0]
    spatial = torch.sigmoid(torch.einsum("bchw,c->bhw", x, one.weight[0, :, 0, 0]) + one.bias)  # type: ignore[index, operator]
    expected = x * channel[:, :, None, None] + x * spatial[:, None]
    assert torch.allclose(gate(x), expected, atol=1e-6)


def test_scse_of_the_reference_squeezes_256_to_16() -> None:
    assert SCSE(256).channel_gate[1].weight.shape == (16, 256, 1, 1)
    assert sum(p.numel() for p in SCSE(256).parameters()) == (256 * 16 + 16) + (16 * 256 + 256) + 257


def test_fusion_has_its_three_gates_and_a_merge_without_bias() -> None:
    fusion = FeatureFusion(256)
    assert sum(p.numel() for p in fusion.parameters()) == 3 * (256 * 32 + 16 + 256 + 257) + 512 * 256 + 512
    s, r = torch.randn(1, 256, 4, 4), torch.randn(1, 256, 4, 4)
    fusion.eval()
    merged = fusion.merge(torch.cat([fusion.recalibrate_s(s), fusion.recalibrate_r(r)], 1))
    assert torch.equal(fusion(s, r), fusion.recalibrate(merged))
    assert not torch.equal(fusion(s, r), fusion(r, s)), "the two maps have gates of their own"


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (32, (1, 1, 1)),
        (64, (1, 2, 3)),
        (128, (2, 4, 6)),
        (192, (3, 6, 9)),
        (200, (3, 7, 10)),
        (512, (8, 16, 24)),
    ],
)
def test_rates_follow_the_crop_and_the_references_do_not(crop: int, expected: tuple[int, int, int]) -> None:
    assert aspp_rates("crop", crop) == expected
    assert aspp_rates("reference", crop) == (12, 24, 36)


def untrained_taps(rates: tuple[int, int, int], crop: int) -> list[int]:
    """Taps without a gradient in each of the three dilated convolutions, at a training crop."""
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus", encoder=SMALL, decoder_channels=16, aspp_rates=rates, sensors=("a",)
    )
    net = build_network(config)
    assert isinstance(net, DeepLab)
    pixels = torch.randint(0, 256, (2, 4, crop, crop), dtype=torch.uint8)
    net(pixels).square().sum().backward()
    found = dict(net.decoder.get_submodule("aspp.0").named_modules()).values()
    taps = [m.weight.grad for m in found if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(taps) == len(rates)
    return [int((gradient.abs().sum((0, 1)) == 0).sum()) for gradient in taps if gradient is not None]


@pytest.mark.parametrize("crop", [96, 192, 512])
def test_every_tap_of_the_aspp_is_trained_at_rates_of_the_crop(crop: int) -> None:
    assert untrained_taps(aspp_rates("crop", crop), crop) == [0, 0, 0]


@pytest.mark.parametrize(("crop", "dead"), [(192, [8, 8, 8]), (512, [0, 0, 8])])
def test_outer_taps_of_the_references_rates_get_no_gradient_at_our_crops(crop: int, dead: list[int]) -> None:
    """Prediction windows of other sizes would use these taps at their random initial values."""
    assert untrained_taps(aspp_rates("reference", crop), crop) == dead
