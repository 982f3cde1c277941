"""Batch normalisation over the batch of all processes.

Half a batch has other moments than the whole, so each process normalising its own share would train another
network. Inside :func:`global_statistics` every batch normalisation in training mode, whatever class it is of,
uses the moments of the whole batch. No module is replaced: networks, checkpoints and models stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from torch.nn.modules import _functions as kernels
from torch.overrides import TorchFunctionMode

from components.lib.losses.reduction import global_sum


def global_statistics(world: int) -> AbstractContextManager[Any]:
    """Return the context of a training step's forward pass in ``world`` processes; an empty one for one."""
    return nullcontext() if world == 1 else _GlobalStatistics()


class _GlobalStatistics(TorchFunctionMode):
    """Replacement of ``F.batch_norm``, through which all layers go, ours and the encoders' alike."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - as torch declares it
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        chosen = _batch_norm if func is F.batch_norm else func
        return chosen(*args, **(kwargs or {}))


def _batch_norm(  # noqa: PLR0917 - called as F.batch_norm is
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise as ``F.batch_norm`` does, with moments over all processes in training."""
    if not training:
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    if x.is_cuda:
        # What nn.SyncBatchNorm calls; there is no such kernel for the CPU.
        group, world = distributed.group.WORLD, distributed.get_world_size()
        options = (weight, bias, running_mean, running_var, eps, momentum, group, world)
        fused: Tensor = kernels.SyncBatchNorm.apply(x, *options)
        return fused
    affine = {"weight": weight, "bias": bias}
    return _batch_norm_of_sums(x, running_mean, running_var, **affine, momentum=momentum, eps=eps)


def _batch_norm_of_sums(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalise likewise from sums of tensors alone; autograd differentiates the two exact reductions."""
    over, shape = [0, *range(2, x.ndim)], (1, -1, *[1] * (x.ndim - 2))
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    # Equal shares of the batch: every process has as many values per channel.
    count = values.numel() // values.shape[1] * distributed.get_world_size()
    mean = global_sum(values.sum(over)) / count
    centred = values - mean.view(shape)
    var = global_sum(centred.square().sum(over)) / count
    with torch.no_grad():
        for running, batch in ((running_mean, mean), (running_var, var * (count / max(1, count - 1)))):
            if running is not None:
                running.lerp_(batch.to(running.dtype), momentum)
    y = centred * torch.rsqrt(var + eps).view(shape)
    if weight is not None:
        y = y * weight.view(shape)
    if bias is not None:
        y = y + bias.view(shape)
    return y.to(x.dtype)
