"""Concurrent spatial and channel squeeze-and-excitation (Roy et al., 2018)."""

from __future__ import annotations

from torch import Tensor, nn


class SCSE(nn.Module):
    """``x * cSE(x) + x * sSE(x)`` (reference distillation 1.3).

    Args:
        channels: C of the (B, C, H, W) input and output.
        reduction: Ratio of C to the width of the channel gate's bottleneck: 256 to 16 in the reference.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        squeezed = channels // reduction
        self.channel_gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial_gate = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Recalibrate ``x`` (B, C, H, W)."""
        recalibrated: Tensor = x * self.channel_gate(x) + x * self.spatial_gate(x)
        return recalibrated
