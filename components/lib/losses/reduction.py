"""Means that keep their meaning at any batch size and on any number of devices.

A weighted mean is a ratio of two sums. Under distributed training both sums run over all devices, so that N
devices with a batch of B each compute the loss and the gradient of one device with a batch of N * B; a mean
without weights needs no such care, since equal batches average to the same.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F  # noqa: N812 - torch's own convention

TINY = 1e-7
"""Least divisor of a mean: nothing to average gives 0 and a zero gradient, not NaN."""


def global_sum(value: Tensor) -> Tensor:
    """Sum of ``value`` over all devices, gradients included; ``value`` itself on a lone device."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    summed: Tensor = _GlobalSum.apply(value)
    return summed


class _GlobalSum(torch.autograd.Function):
    """Every device's value is part of every device's sum, so the gradient is a sum over devices, too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ANN401 - as torch declares it
        return _summed(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        return _summed(gradient)


def _summed(value: Tensor) -> Tensor:
    summed = value.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(summed)
    return summed


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return ``sum(weight * values) / sum(weight)`` over the global batch; 0 if no weight is positive.

    Args:
        values: Any shape, floating.
        weight: Same shape, at least 0; None for equal weights.
    """
    if weight is None:
        return values.mean()
    weight = weight.to(values.dtype)
    # A masked pixel may hold anything, infinities included.
    total = torch.where(weight > 0, values, 0) * weight
    sums = global_sum(torch.stack([total.sum(), weight.sum()]))
    return sums[0] / sums[1].clamp_min(TINY)


def at_size_of(weight: Tensor, features: Tensor) -> Tensor:
    """Weights of pixels as weights of feature cells: the mean over each cell.

    Features lie on the padded input; padding weighs nothing.

    Args:
        weight: (B, H, W), boolean or floating, H and W at least 32.
        features: (B, C, h, w), of a stride that is a power of two.

    Returns:
        (B, h, w) float32.
    """
    height, width = features.shape[-2:]
    weight = weight.to(torch.float32)
    # Padding adds less than the input itself, so the stride is the next power of two.
    stride = 2 ** math.ceil(math.log2(weight.shape[-2] / height))
    bottom, right = height * stride - weight.shape[-2], width * stride - weight.shape[-1]
    return F.avg_pool2d(F.pad(weight, (0, right, 0, bottom)).unsqueeze(1), stride).squeeze(1)
