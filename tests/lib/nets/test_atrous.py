from __future__ import annotations

import pytest
import torch
from torch import nn

from components.lib.nets.atrous import AtrousDepthwise, spare_padding
from components.lib.nets.config import NetworkConfig
from components.lib.nets.parts import create_decoder


@pytest.mark.parametrize(("side", "alone"), [(12, True), (13, False), (40, False)])
@pytest.mark.parametrize("bias", [True, False])
def test_result_and_gradients_are_those_of_the_whole_kernel(side: int, alone: bool, bias: bool) -> None:
    torch.manual_seed(0)
    whole = nn.Conv2d(6, 6, 3, padding=12, dilation=12, groups=6, bias=bias).double()
    box = nn.Sequential(whole)
    spare_padding(box)
    assert isinstance(box[0], AtrousDepthwise)
    assert box[0].weight is whole.weight
    x = torch.randn(2, 6, side, side, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(box(x), whole(x))
    gradients: list[tuple[torch.Tensor, torch.Tensor]] = []
    for convolution in (box, whole):
        x.grad = whole.weight.grad = None
        convolution(x).square().sum().backward()
        assert x.grad is not None
        assert whole.weight.grad is not None
        gradients.append((x.grad.clone(), whole.weight.grad.clone()))
    torch.testing.assert_close(*gradients)
    off_centre = gradients[0][1].flatten(1)[:, [0, 1, 2, 3, 5, 6, 7, 8]]
    assert bool((off_centre == 0).all()) is alone


def test_decoders_have_them_under_their_old_names() -> None:
    decoder = create_decoder(
        [4, 16, 16, 24, 48, 64],
        NetworkConfig(kind="deeplabv3plus", encoder="any", decoder_channels=16, sensors=("a",)),
    )
    found = [name for name, module in decoder.named_modules() if isinstance(module, AtrousDepthwise)]
    assert len(found) == 3, "rates 12, 24 and 36"
    assert {f"{name}.weight" for name in found} <= set(decoder.state_dict())


def test_others_stay() -> None:
    box = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.Conv2d(4, 4, 1)
    )
    before = list(box)
    spare_padding(box)
    assert list(box) == before
