"""What a stage must say about its training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from components.lib.engine.jitter import zoom

Arrays = Mapping[str, np.ndarray[Any, Any] | torch.Tensor]
"""A step's layers by name: arrays in host memory as stored, or tensors that are on the device already."""
Batch = dict[str, torch.Tensor]


def to_batch(arrays: Arrays, device: torch.device) -> Batch:
    """Arrays on ``device`` as they are stored, images (B, H, W, C) seen as (B, C, H, W).

    Nothing is reordered: the result is channels-last in memory. Copies to a GPU leave from pinned memory
    and are not waited for. Tensors pass through: whoever made them put them where and how they belong.
    """
    batch = {}
    for name, array in arrays.items():
        if isinstance(array, torch.Tensor):
            batch[name] = array
            continue
        tensor = torch.from_numpy(array)
        if tensor.ndim == 4:
            tensor = tensor.permute(0, 3, 1, 2)
        if device.type == "cuda":
            tensor = tensor.pin_memory().to(device, non_blocking=True)
        batch[name] = tensor
    return batch


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
        return self.losses(batch)
