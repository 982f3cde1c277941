"""PP-LinkNet (Tran et al., SUMAC 2020): LinkNet with a pyramid of pooled features at its centre.

Written from a description of its layers (docs/methods/pp_linknet.md). 22,443,841 parameters on ResNet-34 with
three bands. Its loss is the released focal pair.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.engine.focal import FocalTask
from components.lib.methods.base import SupervisedMethod, Teacher
from components.lib.nets.config import NetworkConfig
from components.lib.nets.linknet import LinkNetwork
from components.lib.nets.parts import resize

BINS = (1, 2, 3, 6)
"""Sides of the pooled maps, cells."""


class PyramidPooling(nn.Module):
    """The map beside its averages over grids of 1, 2, 3 and 6 cells a side, mixed by a 1x1 convolution.

    A branch is a pooling, a 1x1 convolution to a quarter of the channels and a bilinear resize, without
    normalisation or ReLU.

    Args:
        channels: Channels of input and result, a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // len(BINS)
        self.branches = nn.ModuleList(nn.Conv2d(channels, width, 1, bias=False) for _ in BINS)
        self.merge = nn.Conv2d(channels + len(BINS) * width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, h, w) from (B, channels, h, w)."""
        pooled = [
            resize(branch(F.adaptive_avg_pool2d(x, side)), x.shape[-2:])
            for side, branch in zip(BINS, self.branches, strict=True)
        ]
        return F.relu(self.merge(torch.cat([*pooled, x], dim=1)))


class PpLinkNet(LinkNetwork):
    """LinkNet at output stride 16, without dilation, with pyramid pooling.

    Args:
        config: With ``kind`` "pp_linknet".
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, PyramidPooling, output_stride=16)


class PpLinkNetMethod(SupervisedMethod):
    """PP-LinkNet on SAR images with the labels alone."""

    name = "pp_linknet"
    description = "SAR only, PP-LinkNet, without a teacher"
    kind = "pp_linknet"
    network = PpLinkNet
    supervision = FocalTask


METHOD = PpLinkNetMethod()
TEACHER = Teacher(kind="pp_linknet", description="optical images, PP-LinkNet", supervision=FocalTask)
