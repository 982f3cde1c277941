"""Dense multi-scale decoder, wired as in the figure of LoveCS (Wang et al., RSE 2022); node operators ours.

Three columns of one node per scale. Every node of column 2 receives all of column 1, every node of column 3
all of columns 1 and 2; the nodes of column 3 are upsampled to full size and summed. What a node does inside
was not published: here an edge is a bilinear resize and a separable 3x3 conv-norm-ReLU, a node the mean of
its edges and a 3x3 conv-norm-ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.methods.base import SupervisedMethod
from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import crop_to
from components.lib.nets.parts import conv_norm_relu, create_contour_head, resize
from components.lib.nets.singlemap import SingleMapNetwork


class DenseNode(nn.Module):
    """One node: the mean of its incoming edges, then 3x3 conv-norm-ReLU.

    Args:
        edges: Number of nodes it receives.
        width: Channels of all nodes.
    """

    def __init__(self, edges: int, width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            )
            for _ in range(edges)
        )
        self.merge = conv_norm_relu(width, width, 3)

    def forward(self, incoming: Sequence[Tensor], size: torch.Size) -> Tensor:
        """Return (B, width, *size) from nodes of any size."""
        arrived = [edge(resize(node, size)) for edge, node in zip(self.edges, incoming, strict=True)]
        merged: Tensor = self.merge(torch.stack(arrived).mean(dim=0))
        return merged


class DenseMultiScaleDecoder(nn.Module):
    """Three columns.

    Args:
        in_channels: Channels of the encoder's maps at strides 4, 8, 16 and 32.
        width: Channels of all nodes.
    """

    def __init__(self, in_channels: Sequence[int], width: int) -> None:
        super().__init__()
        scales = len(in_channels)
        self.first = nn.ModuleList(conv_norm_relu(channels, width, 1) for channels in in_channels)
        self.second = nn.ModuleList(DenseNode(scales, width) for _ in in_channels)
        self.third = nn.ModuleList(DenseNode(2 * scales, width) for _ in in_channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return column 3, finest first, (B, width, h, w) each."""
        sizes = [feature.shape[-2:] for feature in features]
        first = [node(feature) for node, feature in zip(self.first, features, strict=True)]
        second = [node(first, size) for node, size in zip(self.second, sizes, strict=True)]
        return [node([*first, *second], size) for node, size in zip(self.third, sizes, strict=True)]


class DenseMultiScaleNetwork(SingleMapNetwork):
    """Strided encoder and dense multi-scale decoder; its nodes have half of ``decoder_channels``.

    Args:
        config: With ``kind`` "dmsd".
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, output_stride=32)
        width = config.decoder_channels // 2
        self.decoder = DenseMultiScaleDecoder(self.encoder.out_channels[-4:], width)
        self.heads = nn.ModuleList(nn.Conv2d(width, config.classes, 1) for _ in range(4))
        self.contour_head = create_contour_head(width, wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and the finest node of column 3 as ``decoder``, for ``x`` (B, C, H, W) in uint8 units."""
        inputs = self.normalise(x)
        nodes = self.decoder(self.encoder(inputs)[-4:])
        size = inputs.shape[-2:]
        # One map per scale at full size, summed in place of stacked: they are the largest tensors here.
        logits = sum(
            F.interpolate(head(node), size, mode="bilinear", align_corners=False)
            for head, node in zip(self.heads, nodes, strict=True)
        )
        assert isinstance(logits, Tensor)
        return crop_to(logits, x), {"decoder": nodes[0]}


class DmsdMethod(SupervisedMethod):
    """Dense multi-scale network on SAR images with the labels alone."""

    name = "dmsd"
    description = "SAR only, LoveCS's dense multi-scale decoder, without a teacher"
    kind = "dmsd"
    network = DenseMultiScaleNetwork


METHOD = DmsdMethod()
