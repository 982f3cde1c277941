"""What a stage must say about its training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import nn

Batch = dict[str, torch.Tensor]


class TrainingTask(nn.Module, ABC):
    """Networks and losses of one training stage.

    Everything in ``state_dict()`` is checkpointed, so anything that a resumed run needs (pseudo-labels,
    thresholds) belongs in buffers; a frozen teacher must stay out of it.
    """

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
        """As :meth:`losses`; Fabric wraps ``forward`` with the precision's context."""
        return self.losses(batch)
