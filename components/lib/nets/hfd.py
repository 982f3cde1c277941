"""Our reading of HFD-Net (reference distillation 3.3); its layers were never published, so this is not it.

Teacher and student have this architecture. Multi-scale features are brought onto each other by learnt flows
("heterogeneous feature alignment" as we read it) before they are summed and concatenated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets.config import Alignment, NetworkConfig
from components.lib.nets.network import crop_to
from components.lib.nets.parts import conv_norm_relu, create_contour_head, create_head, resize
from components.lib.nets.singlemap import SingleMapNetwork

HFD_FEATURES = ("p2", "p3", "p4", "p5", "decoder")
"""What the distillation model compares: the pyramid, and the map that the head reads ("A")."""


class FlowAlignment(nn.Module):
    """Upsample a coarse map to a finer one and move it by a flow that both predict.

    The flow starts at zero, so an untrained module is plain upsampling.

    Args:
        guide_channels: Of the finer map.
        channels: Of the coarse map and the result.
    """

    def __init__(self, guide_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce_guide = nn.Conv2d(guide_channels, channels // 2, 1)
        self.reduce_coarse = nn.Conv2d(channels, channels // 2, 1)
        self.flow = nn.Conv2d(2 * (channels // 2), 2, 3, padding=1)
        nn.init.zeros_(self.flow.weight)
        assert self.flow.bias is not None
        nn.init.zeros_(self.flow.bias)

    def forward(self, guide: Tensor, coarse: Tensor) -> Tensor:
        """``coarse`` (B, channels, h, w) on the grid of ``guide`` (B, guide_channels, H, W)."""
        up = resize(coarse, guide.shape[-2:])
        return warp(up, self.flow(torch.cat([self.reduce_guide(guide), self.reduce_coarse(up)], dim=1)))


class PlainAlignment(nn.Module):
    """Upsampling alone: the ablation of :class:`FlowAlignment`."""

    def forward(self, guide: Tensor, coarse: Tensor) -> Tensor:
        """``coarse`` on the grid of ``guide``."""
        return resize(coarse, guide.shape[-2:])


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Sample ``features`` at each pixel's own place plus its flow; beyond the border the border's value.

    Args:
        features: (B, C, H, W).
        flow: To the right and down, pixels, (B, 2, H, W).
    """
    height, width = features.shape[-2:]
    # Positions are computed in single precision: bf16 cannot tell two neighbouring pixels of 512 apart.
    y = torch.arange(height, device=flow.device, dtype=torch.float32)[:, None] + flow[:, 1].float()
    x = torch.arange(width, device=flow.device, dtype=torch.float32) + flow[:, 0].float()
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    moved = F.grid_sample(features.float(), grid, padding_mode="border", align_corners=False)
    return moved.to(features.dtype)


class HfdReading(SingleMapNetwork):
    """Dilated encoder, laterals, aligned top-down path, aligned fusion at stride 4, 1x1 head.

    Args:
        config: With ``kind`` "hfd_reading"; its ``alignment`` chooses flow or plain upsampling.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        channels, width = self.encoder.out_channels[-4:], config.decoder_channels
        self.laterals = nn.ModuleList(conv_norm_relu(c, width, 1) for c in channels)
        self.top_down = nn.ModuleList(_alignment(config.alignment, c, width) for c in channels[:-1])
        self.smooth = nn.ModuleList(conv_norm_relu(width, width, 3) for _ in channels[:-1])
        self.to_finest = nn.ModuleList(_alignment(config.alignment, width, width) for _ in channels[1:])
        self.merge = conv_norm_relu(len(channels) * width, width, 3)
        self.head = create_head(width, config.classes, kernel_size=1)
        self.contour_head = create_contour_head(width, wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits and ``HFD_FEATURES`` for ``x`` (B, C, H, W) in uint8 units."""
        features = self.encoder(self.normalise(x))[-4:]
        laterals = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        pyramid = [laterals[-1]]
        for level in (2, 1, 0):
            coarse = self.top_down[level](features[level], pyramid[0])
            pyramid.insert(0, self.smooth[level](laterals[level] + coarse))
        finest = pyramid[0]
        aligned = [align(finest, level) for align, level in zip(self.to_finest, pyramid[1:], strict=True)]
        decoded = self.merge(torch.cat([finest, *aligned], dim=1))
        named = dict(zip(HFD_FEATURES, [*pyramid, decoded], strict=True))
        return crop_to(self.head(decoded), x), named


def _alignment(kind: Alignment, guide_channels: int, channels: int) -> nn.Module:
    return FlowAlignment(guide_channels, channels) if kind == "flow" else PlainAlignment()
