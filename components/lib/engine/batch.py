"""Batches on their way to the device: arrays as the store holds them, tensors as networks read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

Arrays = Mapping[str, np.ndarray[Any, Any] | torch.Tensor]
"""A step's layers by name: arrays in host memory as stored, or tensors that are on the device already."""
Batch = dict[str, torch.Tensor]
"""Tensors by name: layers of a step, or its losses."""


def to_batch(arrays: Arrays, device: torch.device) -> Batch:
    """Return arrays on ``device`` as they are stored, images (B, H, W, C) seen as (B, C, H, W).

    Nothing is reordered: the result is channels-last in memory. Copies to a GPU leave from pinned memory
    and are not waited for. Tensors pass through: whoever made them put them where and how they belong.
    """
    return to_device(to_host(arrays, device), device)


def to_host(arrays: Arrays, device: torch.device) -> Batch:
    """Return arrays as tensors, pinned for the way to a GPU: the half of :func:`to_batch` for threads."""
    return {name: _to_host(array, device) for name, array in arrays.items()}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return ``batch`` on ``device``, by copies that are not waited for: the other half."""
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


def _to_host(array: np.ndarray[Any, Any] | torch.Tensor, device: torch.device) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        return array
    tensor = torch.from_numpy(array)
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2)
    if device.type == "cuda":
        # A thread starts on GPU 0, where several processes would each open a context.
        with torch.cuda.device(device):
            tensor = tensor.pin_memory()
    return tensor
