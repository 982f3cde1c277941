"""Observation of a network on a small image: which layer works on which one's output, and what it predicts.

Networks are changed for prediction by what is observed, not by lists of architectures; what was changed is
held against the original on the same image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from components.lib.nets.network import Maps, SegmentationNetwork

_PROBE_PX = 64

_TOLERANCE = 2e-3
"""Difference of logits, relative to the largest: rounding. At p = 0.5 a level is 0.016."""


def probe_of(net: SegmentationNetwork) -> Tensor:
    """Return an image (1, C, 64, 64) uint8 for ``net``, on its device."""
    channels = net.config.in_channels
    values = torch.arange(channels * _PROBE_PX**2, device=net.input_mean.device) * 37 % 255 + 1
    return values.to(torch.uint8).reshape(1, channels, _PROBE_PX, _PROBE_PX)


def followed_convolutions(
    net: SegmentationNetwork, probe: Tensor, sensor: str, follows: Callable[[nn.Module], bool]
) -> tuple[dict[str, str], Maps]:
    """Return which convolutions have a layer behind them that they can be merged with, and the prediction.

    Others may use a convolution's output, too: compare (:func:`same`) what is made of a pair.

    Args:
        net: In evaluation mode.
        probe: Image.
        sensor: Its sensor.
        follows: True for the layers that are looked for.

    Returns:
        Names of convolutions that run once, each with the name of the layer that runs on its output; one that
        runs on anything else as well is left out. And the logits of ``probe``.
    """
    outputs: list[tuple[str, Tensor]] = []
    pairs: list[tuple[str, str]] = []
    calls: list[str] = []
    hooks = []
    for name, module in net.named_modules():

        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
            calls.append(name)
            if isinstance(module, nn.Conv2d):
                outputs.append((name, output))
                return
            pairs.extend((other, name) for other, value in outputs if value is inputs[0])

        if isinstance(module, nn.Conv2d) or follows(module):
            hooks.append(module.register_forward_hook(note))
    try:
        maps = net.predict_maps(probe, sensor)
    finally:
        for hook in hooks:
            hook.remove()
    pairs = [(convolution, layer) for convolution, layer in pairs if calls.count(convolution) == 1]
    paired = Counter(layer for _, layer in pairs)
    return {convolution: layer for convolution, layer in pairs if calls.count(layer) == paired[layer]}, maps


def same(maps: Maps, others: Maps) -> bool:
    """Return True if logits differ by rounding at most."""
    for wanted, found in zip(maps, others, strict=True):
        if wanted is not None and found is not None:
            difference = (wanted - found).abs().max()
            if not difference <= _TOLERANCE * max(1.0, float(wanted.abs().max())):
                return False
    return True


def copied(net: SegmentationNetwork) -> SegmentationNetwork:
    """Return a copy of the layers of ``net`` that shares its tensors: replace them, never change them."""
    return deepcopy(net, {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())})


def replace(net: nn.Module, name: str, module: nn.Module) -> None:
    """Put ``module`` in the place of the submodule ``name``."""
    parent, _, attribute = name.rpartition(".")
    setattr(net.get_submodule(parent), attribute, module)
