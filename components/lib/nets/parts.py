"""The DeepLabV3+ decoder and heads as both networks use them."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from torch import nn

from components.lib.nets.encoders import OUTPUT_STRIDE

HEAD_UPSAMPLING = 4
"""From the decoder's stride to full size."""


def create_decoder(encoder_channels: Sequence[int], width: int) -> nn.Module:
    """DeepLabV3+ decoder of smp: separable ASPP (rates 12, 24, 36), skip from f2, ``width`` channels."""
    decoder: nn.Module = DeepLabV3PlusDecoder(
        encoder_channels=list(encoder_channels),
        encoder_depth=5,
        out_channels=width,
        atrous_rates=(12, 24, 36),
        output_stride=OUTPUT_STRIDE,
        aspp_separable=True,
        aspp_dropout=0.5,
    )
    initialize_decoder(decoder)
    return decoder


def create_head(width: int, classes: int, kernel_size: int) -> nn.Module:
    """Convolution to ``classes`` and bilinear x4 (align_corners), no activation."""
    head: nn.Module = SegmentationHead(width, classes, kernel_size=kernel_size, upsampling=HEAD_UPSAMPLING)
    initialize_head(head)
    return head
