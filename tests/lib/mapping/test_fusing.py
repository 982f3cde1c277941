from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.mapping.folding import folded
from components.lib.mapping.fusing import FusedConvolution, fused
from components.lib.nets.atrous import AtrousDepthwise
from components.lib.nets.network import Maps
from tests.lib.mapping.looks_at_ground import AIRBORNE, Nearby
from tests.lib.mapping.test_folding import trained_looking


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("encoder", ["timm-mobilenetv3_small_minimal_100", "mobilenet_v2", "efficientnet-b0"])
def test_a_fused_network_predicts_the_same(encoder: str) -> None:
    net = folded(trained_looking("deeplabv3plus", encoder, (AIRBORNE,)), AIRBORNE)
    fast = fused(net, AIRBORNE, torch.float32)
    x = torch.randint(0, 256, (1, 4, 96, 96), dtype=torch.uint8)
    assert not any(type(module) in (nn.Conv2d, AtrousDepthwise) for module in fast.modules())
    activated = [m for m in fast.modules() if isinstance(m, FusedConvolution) and m.activation[0] != "none"]
    assert len(activated) > 20
    for wanted, found in zip(net.predict_maps(x, AIRBORNE), fast.predict_maps(x, AIRBORNE), strict=True):
        assert wanted is not None
        assert found is not None
        assert (wanted.sigmoid() - found.sigmoid()).abs().max() < 1e-4


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="a processor without bfloat16")
def test_in_bfloat16_a_fused_network_is_as_close_as_autocast() -> None:
    net = folded(trained_looking("deeplabv3plus", "mobilenet_v2", (AIRBORNE,)), AIRBORNE)
    fast = fused(net, AIRBORNE, torch.bfloat16)
    assert {m.weight.dtype for m in fast.modules() if isinstance(m, FusedConvolution)} == {torch.bfloat16}
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}
    x = torch.randint(0, 256, (1, 4, 96, 96), dtype=torch.uint8)
    wanted = net.predict(x, AIRBORNE)
    with torch.autocast("cpu", torch.bfloat16):
        cast = (net.predict(x, AIRBORNE) - wanted).abs().mean()
        found = (fast.predict(x, AIRBORNE) - wanted).abs().mean()
    assert 0 < found < 1.2 * cast


@pytest.mark.parametrize("dilation", [2, 7, 12, 24, 36])
@pytest.mark.parametrize("bias", [False, True])
def test_dilated_depthwise_convolutions_change_no_bit(dilation: int, bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 8, 3, padding=dilation, dilation=dilation, groups=8, bias=bias).eval()
    x = torch.randn(1, 8, 32, 40).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        fast = FusedConvolution(plain, ("hardtanh", [0.0, 6.0], ""))
        torch.testing.assert_close(fast(x), F.relu6(plain(x)), rtol=1e-6, atol=1e-6)


def test_a_network_without_convolutions_stays_itself() -> None:
    net = Nearby()
    assert fused(net, AIRBORNE, torch.float32) is net


def test_an_output_that_others_use_unactivated_is_noticed() -> None:
    class Skipping(Nearby):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.convolution, self.activation = nn.Conv2d(4, 2, 3, padding=1), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = self.convolution(x.float() / 255)
            activated: torch.Tensor = self.activation(values)
            return values + activated

        def forward_maps(self, x: torch.Tensor) -> Maps:
            return Maps(self(x), None)

    net = Skipping().eval()
    assert fused(net, AIRBORNE, torch.float32) is net
