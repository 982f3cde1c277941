"""What a stage must say about its training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from components.lib.engine.jitter import zoom
from components.lib.tasks.labels import LABELS

Arrays = Mapping[str, np.ndarray[Any, Any] | torch.Tensor]
"""A step's layers by name: arrays in host memory as stored, or tensors that are on the device already."""
Batch = dict[str, torch.Tensor]


def to_batch(arrays: Arrays, device: torch.device) -> Batch:
    """Arrays on ``device`` as they are stored, images (B, H, W, C) seen as (B, C, H, W).

    Nothing is reordered: the result is channels-last in memory. Copies to a GPU leave from pinned memory
    and are not waited for. Tensors pass through: whoever made them put them where and how they belong.
    """
    return to_device(to_host(arrays, device), device)


def to_host(arrays: Arrays, device: torch.device) -> Batch:
    """The half of :func:`to_batch` that threads can do ahead: as tensors, pinned for the way to a GPU."""
    return {name: _to_host(array, device) for name, array in arrays.items()}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The other half: copies that are not waited for."""
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


def _unpacked(name: str, layer: torch.Tensor) -> torch.Tensor:
    """The masks (B, 3, H, W) of a layer that has them as bits of a byte, (B, 1, H, W); others as given."""
    if not name.endswith("target") or layer.ndim != 4 or layer.shape[1] != 1:
        return layer
    return torch.cat([layer >> bit & 1 for bit in range(len(LABELS))], dim=1)


class TrainingTask(nn.Module, ABC):
    """Networks and losses of one training stage.

    Everything in ``state_dict()`` is checkpointed, so anything that a resumed run needs (pseudo-labels,
    thresholds) belongs in buffers; a frozen teacher must stay out of it.

    Attributes:
        crop: Side that crops which come with ``scales`` are zoomed to, pixels; None leaves that to the task.
    """

    crop: int | None = None

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Scalar losses of one batch.

        Args:
            batch: Layers by name, uint8 (B, C, H, W) on the task's device; arrays of other ranks as given.

        Returns:
            Scalar float32 tensors; ``loss`` is the total that is differentiated, the rest are its terms.
        """

    def trainable_parameters(self) -> Iterable[nn.Parameter]:
        """Parameters the optimiser moves: by default all of the task's that require a gradient."""
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    def before_step(self, step: int) -> None:
        """Called before step ``step``; a resumed run calls it first with the step it continues at."""
        return

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """As :meth:`losses`, after the zoom; Fabric wraps ``forward`` with the precision's context."""
        if self.crop is not None and "scales" in batch:
            batch = zoom(batch, batch["scales"], self.crop)
        losses = self.losses({name: _unpacked(name, layer) for name, layer in batch.items()})
        # Only the total is differentiated; several processes wait for the gradients of all that could be.
        return {name: loss if name == "loss" else loss.detach() for name, loss in losses.items()}
