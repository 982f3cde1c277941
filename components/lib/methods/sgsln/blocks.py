"""Building blocks of SGSLN (Zhao et al., IEEE TGRS 61, 2023), written from a description of its layers.

Names are those of the paper: CGSU (channel group shuffle unit), CBAM (convolutional block attention module,
Woo et al., ECCV 2018), DPFA (the code's name of the paper's temporal feature aggregation module, TFAM).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets.parts import conv_norm_relu


def attention_kernel(channels: int) -> int:
    """Return the odd width of the convolution over ``channels``: 3 for 32 and 64, 5 for 128 to 512."""
    width = int((math.log2(channels) + 1) / 2)
    return width if width % 2 else width + 1


class Cgsu(nn.Module):
    """Convolution of the channels of even index; those of odd index pass. All keep the size.

    The result is the processed half followed by the untouched one, so that the next unit's parity mixes both.

    Args:
        channels: Channels of input and output, a multiple of 4.
        dropout: Share of the processed values that training drops, element by element.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.process = nn.Sequential(*conv_norm_relu(channels // 2, channels // 2, 3), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H, W)."""
        return torch.cat([self.process(x[:, ::2]), x[:, 1::2]], dim=1)


class Down(nn.Module):
    """Halve the size and double the channels: a strided convolution beside a max-pooling.

    Args:
        channels: Channels of the input.
        dropout: Share of the convolution's values that training drops, element by element.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Sequential(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 * channels, H / 2, W / 2)."""
        return torch.cat([self.convolution(x), F.max_pool2d(x, 2)], dim=1)


class Cbam(nn.Module):
    """Attention over channels, then over places, each from averages and maxima.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = attention_kernel(channels)
        self.channel = nn.Conv1d(2, 1, width, padding=width // 2)
        self.place = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, channels, H, W) weighted."""
        weight = torch.sigmoid(self.channel(over_places(x)))
        x = x * weight.movedim(1, 2).unsqueeze(-1)
        return x * torch.sigmoid(self.place(over_channels(x)))


class Encoder(nn.Module):
    """One level: ``Down``, two CGSU, a convolution, and CBAM beside a short cut.

    Args:
        channels: Channels of the input; the output has twice as many.
        dropout: Rate of the three dropouts.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        wide = 2 * channels
        self.features = nn.Sequential(
            Down(channels, dropout), Cgsu(wide, dropout), Cgsu(wide, dropout), conv_norm_relu(wide, wide, 3)
        )
        self.attention = Cbam(wide)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 * channels, H / 2, W / 2)."""
        x = self.features(x)
        attended: Tensor = self.attention(x)
        return x + attended


class Decoder(nn.Module):
    """One level up: nearest upsampling, the skip beside it, a 1x1 convolution.

    Args:
        channels: Channels of the coarse input; skip and output have half of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.merge = conv_norm_relu(channels + channels // 2, channels // 2, 1)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Return (B, channels / 2, 2 H, 2 W)."""
        merged: Tensor = self.merge(torch.cat([F.interpolate(coarse, scale_factor=2), skip], dim=1))
        return merged


class Dpfa(nn.Module):
    """Fusion of two dates: each is weighted per channel and per place against the other.

    Convolutions are the date's own, and weights come from a softmax over the dates. So the result depends on
    the order of the dates.

    Args:
        channels: Channels of both inputs and of the output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = attention_kernel(channels)
        self.channel = nn.ModuleList(nn.Conv1d(4, 1, width, padding=width // 2) for _ in range(2))
        self.place = nn.ModuleList(nn.Conv2d(4, 1, 7, padding=3) for _ in range(2))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the sum over dates of (channel weight + place weight + 1) * feature, (B, channels, H, W)."""
        channels = torch.cat([over_places(first), over_places(second)], dim=1)
        places = torch.cat([over_channels(first), over_channels(second)], dim=1)
        by_channel = torch.cat([score(channels) for score in self.channel], dim=1).softmax(dim=1)
        by_place = torch.cat([score(places) for score in self.place], dim=1).softmax(dim=1)
        fused = [
            (by_channel[:, date, :, None, None] + by_place[:, date, None] + 1) * feature
            for date, feature in enumerate((first, second))
        ]
        return fused[0] + fused[1]


def over_places(x: Tensor) -> Tensor:
    """Return the average and the maximum of each channel, (B, 2, C), of (B, C, H, W)."""
    return torch.stack([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


def over_channels(x: Tensor) -> Tensor:
    """Return the mean and the maximum of each place, (B, 2, H, W), of (B, C, H, W)."""
    return torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
