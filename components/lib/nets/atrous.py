"""Dilated depthwise convolutions that do not multiply padding.

The reference's ASPP rates of 12, 24 and 36 reach beyond small feature maps: on the 12 x 12 cells of a
192-pixel crop every tap but the middle one meets zeros, wherever the kernel stands. The middle tap alone
gives the same result; the others took a sixth of a training step on a CPU. Rates that follow the crop
(:func:`components.lib.nets.parts.aspp_rates`) do not get there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AtrousDepthwise(nn.Conv2d):
    """A 3x3 depthwise convolution of stride 1, padded by its dilation; otherwise as ``nn.Conv2d``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, C, H, W) convolved, (B, C, H, W)."""
        if all(reach >= side for reach, side in zip(self.dilation, x.shape[-2:], strict=True)):
            middle = x * self.weight[:, 0, 1, 1].to(x.dtype).view(1, -1, 1, 1)
            return middle if self.bias is None else middle + self.bias.to(x.dtype).view(1, -1, 1, 1)
        return super().forward(x)


def spare_padding(module: nn.Module) -> None:
    """Replace, in place, the dilated 3x3 depthwise convolutions of ``module``, weights and names kept."""
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Conv2d) and not isinstance(child, AtrousDepthwise) and _fits(child):
            parent, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(parent), attribute, _replacement(child))


def _fits(convolution: nn.Conv2d) -> bool:
    return (
        convolution.groups == convolution.in_channels == convolution.out_channels
        and convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and max(convolution.dilation) > 1
        and convolution.padding == convolution.dilation
        and convolution.padding_mode == "zeros"
    )


def _replacement(convolution: nn.Conv2d) -> AtrousDepthwise:
    channels, dilation = convolution.in_channels, convolution.dilation
    # No random numbers are drawn: a network's other weights stay what its seed makes them.
    made: AtrousDepthwise = torch.nn.utils.skip_init(  # type: ignore[no-untyped-call]
        AtrousDepthwise,
        channels,
        channels,
        3,
        padding=dilation,
        dilation=dilation,
        groups=channels,
        bias=convolution.bias is not None,
    )
    made.weight, made.bias = convolution.weight, convolution.bias
    return made
