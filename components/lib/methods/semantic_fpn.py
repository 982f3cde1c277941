"""Semantic-FPN on a strided encoder, the network of LoveCS (Wang et al., RSE 2022) as released.

Trained without a teacher, to adapt from; see docs/methods/adaptation.md#semantic-fpn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.methods.base import SupervisedMethod
from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import crop_to
from components.lib.nets.parts import conv_norm_relu, create_contour_head, create_head
from components.lib.nets.singlemap import SingleMapNetwork

STRIDES = (4, 8, 16, 32)
"""Strides of the encoder's maps that the decoders read."""


class FeaturePyramid(nn.Module):
    """Lateral 1x1 convolutions, a top-down path of nearest x2, and a 3x3 convolution per level.

    All convolutions have a bias and are followed by batch normalisation without ReLU.

    Args:
        in_channels: Channels of the maps at ``STRIDES``.
        width: Channels of every level.
    """

    def __init__(self, in_channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(_conv_norm(channels, width, 1) for channels in in_channels)
        self.outputs = nn.ModuleList(_conv_norm(width, width, 3) for _ in in_channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the pyramid's levels, (B, width, h, w) each, finest first, from the maps at ``STRIDES``."""
        levels = [lateral(f) for lateral, f in zip(self.laterals, features, strict=True)]
        for level in range(len(levels) - 1, 0, -1):
            size = levels[level - 1].shape[-2:]
            levels[level - 1] = levels[level - 1] + F.interpolate(levels[level], size, mode="nearest")
        return [output(level) for output, level in zip(self.outputs, levels, strict=True)]


class AsymmetricDecoder(nn.Module):
    """Mean of all levels, each brought to stride 4 by as many blocks as it takes.

    A block is 3x3 conv-BN-ReLU and bilinear x2 (align_corners); the level of stride 4 has one without
    upsampling.

    Args:
        in_channels: Channels of every level.
        width: Channels of the result.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(_path(in_channels, width, int(math.log2(s // 4))) for s in STRIDES)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return (B, width, h, w) at stride 4."""
        maps = [path(level) for path, level in zip(self.paths, levels, strict=True)]
        return torch.stack(maps).mean(dim=0)


class SemanticFPN(SingleMapNetwork):
    """Semantic-FPN as LoveCS released it; ``decoder_channels`` is the FPN's width, 256 there.

    Args:
        config: With ``kind`` "semantic_fpn".
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, output_stride=32)
        width = config.decoder_channels
        self.pyramid = FeaturePyramid(self.encoder.out_channels[-4:], width)
        self.decoder = AsymmetricDecoder(width, width // 2)
        self.head = create_head(width // 2, config.classes, kernel_size=1)
        self.contour_head = create_contour_head(width // 2, wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and the feature ``decoder`` (stride 4), for ``x`` (B, C, H, W) in uint8 units."""
        decoded = self.decoder(self.pyramid(self.encoder(self.normalise(x))[-4:]))
        return crop_to(self.head(decoded), x), {"decoder": decoded}


def _conv_norm(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))


def _path(in_channels: int, width: int, doublings: int) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for number in range(max(1, doublings)):
        blocks.append(conv_norm_relu(in_channels if number == 0 else width, width, 3))
        if doublings:
            blocks.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))
    return nn.Sequential(*blocks)


class SemanticFpnMethod(SupervisedMethod):
    """Semantic-FPN on SAR images with the labels alone."""

    name = "semantic_fpn"
    description = "SAR only, LoveCS's network as released, without a teacher"
    kind = "semantic_fpn"
    network = SemanticFPN


METHOD = SemanticFpnMethod()
