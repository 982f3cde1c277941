"""LinkNet with a centre: the body that PP-LinkNet and D-LinkNet share (docs/methods/pp_linknet.md).

An encoder, a centre at its deepest map, four decoders whose results are added to the encoder's maps, and a
transposed convolution to full size. One map for a sigmoid is drawn; the class map is (0, that map), whose
softmax is the sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import SIDE_MULTIPLE
from components.lib.nets.parts import create_contour_head
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.nets.stems import first_convolutions

HEAD_WIDTH = 32
"""Channels at full size, before the last convolution."""

COLOUR_SHARES = ((2, 1.0), (0, 0.5), (0, 0.5), (1, 1.0))
"""ImageNet filter (of R, G, B) and its share for the bands B, R, R, G: a colour's copies share its filter."""


class LinkDecoder(nn.Module):
    """1x1 convolution to a quarter, 3x3 transposed convolution, 1x1 convolution; each with norm and ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        stride: Factor from the input's to the result's height and width, 1 or 2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 2) -> None:
        super().__init__()
        width = in_channels // 4
        self.reduce = nn.Sequential(nn.Conv2d(in_channels, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.upsample = nn.Sequential(
            nn.ConvTranspose2d(width, width, 3, stride=stride, padding=1, output_padding=stride - 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.expand = nn.Sequential(
            nn.Conv2d(width, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, stride * h, stride * w) from (B, in_channels, h, w)."""
        decoded: Tensor = self.expand(self.upsample(self.reduce(x)))
        return decoded


class SigmoidNetwork(SingleMapNetwork):
    """A network that draws one map for a sigmoid and pads its input by reflection.

    Args:
        config: Its ``classes`` must be 2.
        output_stride: As of :class:`SingleMapNetwork`.
    """

    def __init__(self, config: NetworkConfig, *, output_stride: Literal[16, 32] = 32) -> None:
        super().__init__(config, output_stride=output_stride)
        if self.config.encoder_weights and config.modality == "optical" and config.in_channels == 4:
            follow_colours(self.encoder)

    def normalise(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, C, H, W) in uint8 units, normalised and padded by reflection, half on each side.

        The edge pixel is not repeated, except where the image is too small for a reflection.
        """
        height, width = x.shape[-2:]
        (top, bottom), (left, right) = _padding(height), _padding(width)
        if not (top or bottom or left or right):
            return super().normalise(x)
        mode = "reflect" if bottom < height and right < width else "replicate"
        values = x.to(self.input_mean.dtype)
        return super().normalise(F.pad(values, (left, right, top, bottom), mode=mode))

    def contours_of(self, features: dict[str, Tensor], x: Tensor) -> Tensor | None:
        """Contour logits from what :meth:`forward_features` gave for ``x``; None without that head."""
        return None if self.contour_head is None else unpadded(self.contour_head(features["decoder"]), x)


class LinkNetwork(SigmoidNetwork):
    """Encoder, centre, four decoders with added skips, transposed convolution to full size.

    The encoder's stage 5 is strided at output stride 32; at 16 its stride is removed without dilation, and
    the first decoder keeps the size.

    Args:
        config: Its ``decoder_channels`` and ASPP are not read: widths are the encoder's.
        centre: Maker of the module between encoder and decoders, from and to so many channels.
        output_stride: Stride of the deepest map.
    """

    def __init__(
        self, config: NetworkConfig, centre: Callable[[int], nn.Module], *, output_stride: Literal[16, 32]
    ) -> None:
        super().__init__(config, output_stride=output_stride)
        remove_dilation(self.encoder)
        first, second, third, fourth = self.encoder.out_channels[-4:]
        self.centre = centre(fourth)
        self.decoders = nn.ModuleList(
            (
                LinkDecoder(fourth, third, stride=output_stride // 16),
                LinkDecoder(third, second),
                LinkDecoder(second, first),
                LinkDecoder(first, first),
            )
        )
        self.head = nn.Sequential(
            nn.ConvTranspose2d(first, HEAD_WIDTH, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(HEAD_WIDTH, 1, 3, padding=1),
        )
        self.contour_head = create_contour_head(first, wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and the feature ``decoder`` (stride 4), for ``x`` (B, C, H, W) in uint8 units."""
        *skips, deepest = self.encoder(self.normalise(x))[-4:]
        decoded = self.centre(deepest)
        for decoder, skip in zip(self.decoders, reversed(skips), strict=False):
            decoded = decoder(decoded) + skip
        drawn = self.head(self.decoders[-1](decoded))
        return class_logits(unpadded(drawn, x)), {"decoder": decoded}


def class_logits(drawn: Tensor) -> Tensor:
    """Return logits of background and object, (B, 2, H, W), from one map for a sigmoid, (B, 1, H, W)."""
    return torch.cat([torch.zeros_like(drawn), drawn], dim=1)


def unpadded(values: Tensor, x: Tensor) -> Tensor:
    """Return ``values`` of the padded input (B, C, h, w) on the pixels of ``x`` (B, C', H, W)."""
    (top, _), (left, _) = (_padding(side) for side in x.shape[-2:])
    return values[..., top : top + x.shape[-2], left : left + x.shape[-1]]


def remove_dilation(encoder: nn.Module) -> None:
    """Give, in place, every dilated convolution its plain kernel; strides stay as they are.

    smp's encoders of output stride 16 have stage 5 dilated in place of strided. PP-LinkNet removes the stride
    and dilates nothing.
    """
    for module in encoder.modules():
        if not isinstance(module, nn.Conv2d) or max(module.dilation) == 1:
            continue
        if not isinstance(module.padding, str):
            module.padding = tuple(p // d for p, d in zip(module.padding, module.dilation, strict=True))
        module.dilation = (1, 1)


@torch.no_grad()
def follow_colours(encoder: nn.Module) -> None:
    """Give the bands B, R, R, G the pretrained filters of their colours, in place.

    smp repeats the filters R, G, B, R over four bands and scales them by 3/4. Here both red bands get half of
    the red filter, so that the response to an image equals that of the three-band network.
    """
    modules = dict(encoder.named_modules())
    for name in first_convolutions(encoder, len(COLOUR_SHARES)):
        weight = modules[name].get_parameter("weight")
        colours = weight[:, :3] * (len(COLOUR_SHARES) / 3)
        weight.copy_(torch.stack([share * colours[:, colour] for colour, share in COLOUR_SHARES], dim=1))


def _padding(side: int) -> tuple[int, int]:
    """Return the pixels before and behind ``side`` pixels up to a multiple of 32, half each."""
    missing = -side % SIDE_MULTIPLE
    return missing // 2, missing - missing // 2
