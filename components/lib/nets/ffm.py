"""Feature fusion of the student's two decoded maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.lib.nets.scse import SCSE


class FeatureFusion(nn.Module):
    """scSE on each map, concatenation, 1x1 conv-BN-ReLU back to the width, scSE (reference distillation 1.3).

    Args:
        channels: C of both inputs and of the output, all (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.recalibrate_s = SCSE(channels)
        self.recalibrate_r = SCSE(channels)
        self.merge = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.recalibrate = SCSE(channels)

    def forward(self, s: Tensor, r: Tensor) -> Tensor:
        """Fuse the decoded maps of branch S and branch R."""
        both = torch.cat([self.recalibrate_s(s), self.recalibrate_r(r)], dim=1)
        fused: Tensor = self.recalibrate(self.merge(both))
        return fused
