"""One optimiser step: forward, backward, update, with nothing in it that waits for the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from components.lib.engine.batch import Batch
from components.lib.engine.batchnorm import global_statistics
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.ranks import Ranks
from components.lib.engine.task import TrainingTask

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class Step:
    """Optimiser step of a task on its device.

    Networks and batches are channels-last, which convolutions run fastest in on CPU and GPU alike. The
    optimiser updates all parameters in one kernel. On several processes gradients are averaged over them.

    Args:
        task: Networks and losses, on any device; moved to the training device.
        parameters: Section `training`.
        fabric: Launched, with device and precision.
        ranks: Place of this process among several.

    Attributes:
        optimiser: As section `training` says.
        rate: Learning rate of the last step, with the task's own factor.
    """

    def __init__(
        self, task: TrainingTask, parameters: TrainingParameters, fabric: Fabric, ranks: Ranks | None = None
    ) -> None:
        self._task, self._fabric, self._world = task, fabric, (ranks or Ranks()).world
        task.to(memory_format=torch.channels_last)
        self._clip_norm = parameters.clip_norm
        self.rate = 0.0
        self.optimiser = build_optimiser(task, parameters)
        if parameters.compile and fabric.device.type == "cuda":
            # In place, so that the names in checkpoints stay; on a CPU it was slower than not compiling.
            task.compile()
        self._wrapped, self._wrapped_optimiser = fabric.setup(task, self.optimiser)

    def __call__(self, batch: Batch, *, number: int, rate: float) -> Batch:
        """Take one step.

        Args:
            batch: Share of this process, on the device.
            number: Steps done before.
            rate: The schedule's learning rate, on which the task may have a factor of its own.

        Returns:
            The task's losses, still on their way on the device.
        """
        self._task.before_step(number)
        self.rate = rate * self._task.rate_factor(number)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        with global_statistics(self._world):
            losses: Batch = self._wrapped(batch)
        self._wrapped_optimiser.zero_grad(set_to_none=True)
        self._fabric.backward(losses["loss"])
        if self._clip_norm is not None:
            # A norm that is not finite shows in the loss, which is checked where it is logged: a check here
            # would wait for the device in every step.
            self._fabric.clip_gradients(
                self._wrapped, self._wrapped_optimiser, max_norm=self._clip_norm, error_if_nonfinite=False
            )
        self._wrapped_optimiser.step()
        return losses


def build_optimiser(task: TrainingTask, parameters: TrainingParameters) -> torch.optim.Optimizer:
    """Return the optimiser of the task's trainable parameters, one kernel for all of them."""
    trainable = list(task.trainable_parameters())
    if parameters.optimiser == "adamw":
        return torch.optim.AdamW(
            trainable, lr=parameters.lr, weight_decay=parameters.weight_decay, fused=True
        )
    return torch.optim.SGD(
        trainable,
        lr=parameters.lr,
        momentum=parameters.momentum,
        nesterov=True,
        weight_decay=parameters.weight_decay,
        fused=True,
    )
