"""Parts that several networks share: the DeepLabV3+ decoder, heads, convolution blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets.atrous import spare_padding
from components.lib.nets.config import REFERENCE_RATES, NetworkConfig
from components.lib.nets.encoders import OUTPUT_STRIDE
from components.lib.nets.network import SIDE_MULTIPLE
from components.lib.tasks.labels import LABELS

HEAD_UPSAMPLING = 4
"""From the decoder's stride to full size."""


Rates = tuple[int, int, int]
"""Dilation rates of an ASPP's three dilated convolutions, cells of stride 16."""


def aspp_rates(form: Literal["crop", "reference"], crop: int) -> Rates:
    """Return the rates of an ASPP that is trained on crops of ``crop`` pixels.

    A tap whose rate reaches the side of the feature map meets padding wherever the kernel stands: it gets no
    gradient, and works with its random initial value on the larger maps of prediction. The reference's rates
    fit no crop of less than 608 pixels.

    Args:
        form: ``crop`` (ours) takes a quarter, a half and three quarters of the crop's side in cells, at least
            one: 3, 6, 9 at 192 pixels, 8, 16, 24 at 512. ``reference`` takes 12, 24, 36 at any crop.
        crop: Side of a training crop, pixels.
    """
    if form == "reference":
        return REFERENCE_RATES
    cells = math.ceil(crop / SIDE_MULTIPLE) * SIDE_MULTIPLE // OUTPUT_STRIDE
    first, second, third = (max(1, quarters * cells // 4) for quarters in (1, 2, 3))
    return first, second, third


def create_decoder(encoder_channels: Sequence[int], config: NetworkConfig) -> nn.Module:
    """Return smp's DeepLabV3+ decoder: separable ASPP and width of ``config``, skip from f2."""
    decoder: nn.Module = DeepLabV3PlusDecoder(
        encoder_channels=list(encoder_channels),
        encoder_depth=5,
        out_channels=config.decoder_channels,
        atrous_rates=config.aspp_rates,
        output_stride=OUTPUT_STRIDE,
        aspp_separable=True,
        aspp_dropout=config.aspp_dropout,
    )
    initialize_decoder(decoder)
    spare_padding(decoder)
    return decoder


def create_head(width: int, classes: int, kernel_size: int) -> nn.Module:
    """Convolution to ``classes`` and bilinear x4 (align_corners), no activation."""
    head: nn.Module = SegmentationHead(width, classes, kernel_size=kernel_size, upsampling=HEAD_UPSAMPLING)
    initialize_head(head)
    return head


def create_contour_head(width: int, *, wanted: bool) -> nn.Module | None:
    """3x3 convolution from a stride-4 feature to ``LABELS`` and bilinear x4, or None if not ``wanted``.

    3x3, because an edge is a difference between neighbours.
    """
    return create_head(width, len(LABELS), kernel_size=3) if wanted else None


def conv_norm_relu(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Convolution without bias that keeps the size, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def resize(features: Tensor, size: torch.Size) -> Tensor:
    """Bilinear resizing of (B, C, h, w) to ``size`` (H, W), as it is if it has that size."""
    if features.shape[-2:] == size:
        return features
    return F.interpolate(features, size, mode="bilinear", align_corners=False)
