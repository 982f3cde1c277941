"""Networks for prediction on CPU: convolution, bias and activation in one pass over memory.

On a CPU a convolutional network waits for memory more than for arithmetic, above all in bfloat16, whose
products are fast: as a layer of its own an activation reads and writes every value once more. oneDNN, which
PyTorch convolves with, applies it to the results while they are in registers. What else was found slow in a
profile (docs/maps.md):

- bfloat16 by autocast casts every weight at every pass; here they are cast once.
- oneDNN's fast kernel for depthwise convolutions takes little padding only. A wide one is padded beforehand,
  which changes no bit and takes a fifth of the time.
- Resizing few channels is fast in planes and in float32 alone: the last step of every network here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.mapping.probing import copied, followed_convolutions, probe_of, replace, same
from components.lib.nets.atrous import AtrousDepthwise
from components.lib.nets.network import SegmentationNetwork

Activation = tuple[str, list[float], str]
"""Name, scalars and algorithm of an activation, as PyTorch's operators of oneDNN take them."""

_NONE: Activation = ("none", [], "")

_ACTIVATIONS: dict[type[nn.Module], Callable[[nn.Module], Activation]] = {
    nn.ReLU: lambda _: ("relu", [], ""),
    nn.ReLU6: lambda _: ("hardtanh", [0.0, 6.0], ""),
    nn.SiLU: lambda _: ("swish", [], ""),
    nn.Hardswish: lambda _: ("hardswish", [], ""),
}

_LITTLE_PADDING = 6
"""Padding up to which oneDNN's fast depthwise kernel works; 7 takes nine times as long."""

_FEW_CHANNELS = 16
"""Channels below which resizing goes by planes: a pixel's channels fill no vector register."""


@torch.inference_mode(False)
@torch.no_grad()
def fused(net: SegmentationNetwork, sensor: str, dtype: torch.dtype) -> SegmentationNetwork:
    """Return a network that predicts as ``net`` on CPU, up to rounding; for evaluation alone.

    Which activation follows which convolution is observed on a probe, not listed, and the result is compared
    on it in float32: where they differ, or PyTorch has no oneDNN for ``dtype``, ``net`` itself is returned.

    Args:
        net: On CPU, in evaluation mode, its normalisations folded; not changed.
        sensor: One that it knows.
        dtype: Of weights and products: float32, or bfloat16 within autocast.
    """
    if not _available(dtype) or not any(_is_fusible(module) for module in net.modules()):
        return net
    probe = probe_of(net)
    pairs, wanted = followed_convolutions(net, probe, sensor, _activates)
    copy = _converted(net, pairs)
    if not same(wanted, copy.predict_maps(probe, sensor)):
        return net
    for module in copy.modules():
        if isinstance(module, FusedConvolution):
            module.to(dtype)
    return copy


def _available(dtype: torch.dtype) -> bool:
    """Return True if this PyTorch and processor can."""
    if not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    return dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _activates(module: nn.Module) -> bool:
    return type(module) in _ACTIVATIONS


def _is_fusible(module: nn.Module) -> bool:
    """Return True for convolutions that do nothing else; other subclasses may do anything."""
    plain = type(module) in (nn.Conv2d, AtrousDepthwise)
    # smp's EfficientNets pad by a layer within the convolution.
    padded = isinstance(module, nn.Conv2d) and isinstance(getattr(module, "static_padding", None), nn.Module)
    return (plain or padded) and module.padding_mode == "zeros"


def _converted(net: SegmentationNetwork, pairs: dict[str, str]) -> SegmentationNetwork:
    """Return a copy whose layers are replaced, ``pairs`` of convolution and activation by one layer."""
    copy = copied(net)
    layers = dict(copy.named_modules())
    for name, module in layers.items():
        if isinstance(module, nn.Conv2d) and _is_fusible(module):
            activation = _NONE
            if name in pairs:
                follower = layers[pairs[name]]
                activation = _ACTIVATIONS[type(follower)](follower)
                replace(copy, pairs[name], nn.Identity())
            fast: nn.Module = FusedConvolution(module, activation)
            if isinstance(padding := getattr(module, "static_padding", None), nn.Module):
                fast = nn.Sequential(padding, fast)
            replace(copy, name, fast)
        elif isinstance(module, nn.Upsample):
            replace(copy, name, PlaneUpsample(module))
    return copy


class FusedConvolution(nn.Module):
    """Convolution and activation as one operator of oneDNN, in the dtype of its weights.

    Args:
        convolution: Gives its weights.
        activation: Applied to the result.
    """

    def __init__(self, convolution: nn.Conv2d, activation: Activation) -> None:
        super().__init__()
        bias = convolution.bias
        # Parameters of its own, as a change of dtype replaces what a parameter holds.
        self.weight = nn.Parameter(convolution.weight.detach(), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        self.stride, self.dilation = list(convolution.stride), list(convolution.dilation)
        self.padding = [int(side) for side in convolution.padding]
        self.groups = convolution.groups
        self.activation = activation
        depthwise = self.groups == convolution.in_channels == convolution.out_channels
        self.widely_padded = depthwise and max(self.padding) > _LITTLE_PADDING

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated convolution of ``x`` (B, C, H, W)."""
        x = x.to(self.weight.dtype)
        if not self.widely_padded:
            return self._convolved(x, self.weight, self.padding)
        if self._sees_middle_alone(x):
            return self._convolved(x, self.weight[:, :, 1:2, 1:2], [0, 0])
        rows, columns = self.padding
        return self._convolved(F.pad(x, (columns, columns, rows, rows)), self.weight, [0, 0])

    def _sees_middle_alone(self, x: Tensor) -> bool:
        """Return True if every tap but the middle one meets padding wherever the kernel stands."""
        return (
            self.weight.shape[-2:] == (3, 3)
            and self.padding == self.dilation
            and self.stride == [1, 1]
            and all(reach >= side for reach, side in zip(self.dilation, x.shape[-2:], strict=True))
        )

    def _convolved(self, x: Tensor, weight: Tensor, padding: list[int]) -> Tensor:
        convolve = torch.ops.mkldnn._convolution_pointwise
        result: Tensor = convolve(
            x, weight, self.bias, padding, self.stride, self.dilation, self.groups, *self.activation
        )
        return result


class PlaneUpsample(nn.Module):
    """Resizing of which few channels are computed plane by plane, in float32.

    Args:
        upsample: The layer.
    """

    def __init__(self, upsample: nn.Upsample) -> None:
        super().__init__()
        self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        """Resize ``x`` (B, C, H, W)."""
        if x.shape[1] < _FEW_CHANNELS:
            x = x.to(torch.float32, memory_format=torch.contiguous_format)
        result: Tensor = self.upsample(x)
        return result
