"""Base of what is trained: networks, losses, and the layers of a batch that hold labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import nn

from components.lib.engine.batch import Batch
from components.lib.engine.jitter import zoom
from components.lib.losses.segmentation import IGNORE, data_mask
from components.lib.tasks.labels import IGNORE_LABEL, LABELS, LABELS_OF
from components.lib.tasks.names import TaskName


class TrainingStoppedError(Exception):
    """Training cannot go on, and the networks as they are now are its result; the message says why."""


def label_layer(labels: torch.Tensor, name: str) -> torch.Tensor:
    """Return one mask of the store's layer ``target``, of buildings.

    Args:
        labels: All masks, (B, 3, H, W).
        name: ``footprint``, ``edge`` or ``contact``.

    Returns:
        (B, H, W), non-zero where it holds.
    """
    return labels[:, LABELS.index(name)]


def counted_pixels(labels: torch.Tensor, image: torch.Tensor, task: TaskName) -> torch.Tensor:
    """Return the pixels that count in losses, (B, H, W) bool: those with data that the labels do not ignore.

    Args:
        labels: All masks, (B, 3, H, W).
        image: Image that the network reads, (B, C, H, W) in stored units, after any zoom.
        task: Task of the labels.
    """
    counted = data_mask(image)
    if IGNORE_LABEL in LABELS_OF[task]:
        counted = counted & (labels[:, LABELS_OF[task].index(IGNORE_LABEL)] == 0)
    return counted


def target_classes(labels: torch.Tensor, image: torch.Tensor, task: TaskName) -> torch.Tensor:
    """Return the class of each pixel, (B, H, W): 1 the target, 0 none, ``IGNORE`` where it does not count.

    Args and dtype as of :func:`counted_pixels` and the masks.
    """
    return torch.where(counted_pixels(labels, image, task), labels[:, 0], IGNORE)


class TrainingTask(nn.Module, ABC):
    """Networks and losses of one training.

    Everything in ``state_dict()`` is checkpointed, so anything that a resumed run needs (pseudo-labels,
    thresholds) belongs in buffers; a frozen teacher must stay out of it.

    Attributes:
        crop: Side that crops which come with ``scales`` are zoomed to, pixels; None leaves them as they are.
        masks: Layers of a batch that hold the store's masks, packed as bits of a byte.
        classes: Further layers whose values are codes, which must not be interpolated.
    """

    crop: int | None = None
    masks: ClassVar[tuple[str, ...]] = ("target",)
    classes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def losses(self, batch: Batch) -> Batch:
        """Return the scalar losses of one batch.

        Args:
            batch: Layers by name, uint8 (B, C, H, W) on the task's device, masks unpacked to (B, 3, H, W);
                arrays of other ranks as given.

        Returns:
            Scalar float32 tensors; ``loss`` is the total that is differentiated, the rest are its terms.
        """

    def trainable_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that the optimiser moves: by default all that require a gradient."""
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    def before_step(self, step: int) -> None:
        """Prepare for step ``step``; a resumed run calls this first with the step it continues at.

        Raises:
            TrainingStoppedError: If there is nothing to go on with.
        """
        return

    def rate_factor(self, step: int) -> float:
        """Return the factor on the schedule's learning rate for step ``step``; 1 unless a task has rules.

        Called after :meth:`before_step` of the same step.
        """
        return 1.0

    def complete(self, batch: Batch) -> Batch:
        """Return ``batch`` with the layers that the task itself provides, before the zoom."""
        return batch

    def forward(self, batch: Batch) -> Batch:
        """Return :meth:`losses`, after the zoom; Fabric wraps ``forward`` with the precision's context."""
        batch = self.complete(batch)
        if self.crop is not None and "scales" in batch:
            batch = zoom(batch, batch["scales"], self.crop, labels=self.masks + self.classes)
        losses = self.losses(
            {name: _unpacked(layer) if name in self.masks else layer for name, layer in batch.items()}
        )
        # Only the total is differentiated; several processes wait for the gradients of all that could be.
        return {name: loss if name == "loss" else loss.detach() for name, loss in losses.items()}


def _unpacked(layer: torch.Tensor) -> torch.Tensor:
    """Return the masks (B, 3, H, W) of a layer that has them as bits of a byte, (B, 1, H, W)."""
    if layer.ndim != 4 or layer.shape[1] != 1:
        return layer
    return torch.cat([layer >> bit & 1 for bit in range(len(LABELS))], dim=1)
