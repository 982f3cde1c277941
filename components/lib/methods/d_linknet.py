"""D-LinkNet (Zhou et al., CVPR workshops 2018): LinkNet with dilated convolutions at its centre.

A control of PP-LinkNet: the same body, strided by 32, and the same loss (docs/methods/pp_linknet.md).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.engine.focal import FocalTask
from components.lib.methods.base import SupervisedMethod, Teacher
from components.lib.nets.config import NetworkConfig
from components.lib.nets.linknet import LinkNetwork

DILATIONS = (1, 2, 4, 8)


class DilatedCentre(nn.Module):
    """Four dilated 3x3 convolutions in a row, each with ReLU; the sum of the input and of what each gives.

    Args:
        channels: Channels of input and result.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation) for dilation in DILATIONS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, h, w) from (B, channels, h, w)."""
        total, wider = x, x
        for convolution in self.convolutions:
            wider = F.relu(convolution(wider))
            total = total + wider
        return total


class DLinkNet(LinkNetwork):
    """LinkNet at output stride 32 with a dilated centre.

    Args:
        config: With ``kind`` "d_linknet".
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, DilatedCentre, output_stride=32)


class DLinkNetMethod(SupervisedMethod):
    """D-LinkNet on SAR images with the labels alone."""

    name = "d_linknet"
    description = "SAR only, D-LinkNet, a control of PP-LinkNet"
    kind = "d_linknet"
    network = DLinkNet
    supervision = FocalTask


METHOD = DLinkNetMethod()
TEACHER = Teacher(kind="d_linknet", description="optical images, D-LinkNet", supervision=FocalTask)
