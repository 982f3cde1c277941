"""Training of a change network: augmentation, losses, and a rate that follows validation F1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from components.lib.change.nets.network import ChangeMaps, ChangeNetwork
from components.lib.change.training.augmentation import Augmentation
from components.lib.change.training.presets import Preset
from components.lib.change.training.schedule import Plateau, warmup_rate
from components.lib.engine.batch import Batch
from components.lib.engine.supervised import with_total
from components.lib.engine.task import TrainingTask

Losses = Callable[[ChangeMaps, Tensor], dict[str, Tensor]]


class ChangeTask(TrainingTask):
    """A change network, its losses and its schedule.

    At the end of each epoch from ``preset.first_evaluation`` on, before the next one's first step, validation
    F1 is measured; the measurements are part of ``state_dict()``, so that a resumed run has the same rate.

    Args:
        net: The network.
        losses: Terms of the loss, from the network's maps and the label (B, 1, H, W).
        augmentation: Applied to every batch.
        preset: Schedule.
        steps_per_epoch: Optimiser steps of one epoch.
        validate: Measures validation F1 of the network, 0 to 1.
    """

    masks = ()

    def __init__(
        self,
        net: ChangeNetwork,
        losses: Losses,
        augmentation: Augmentation,
        preset: Preset,
        *,
        steps_per_epoch: int,
        validate: Callable[[ChangeNetwork], float],
    ) -> None:
        super().__init__()
        self.net, self.plateau = net, Plateau(preset.patience)
        self._losses, self._augmentation, self._preset = losses, augmentation, preset
        self._steps_per_epoch, self._validate = steps_per_epoch, validate

    def losses(self, batch: Batch) -> Batch:
        """Return ``loss`` and its terms, from the layers ``before``, ``after``, ``label`` and the draws."""
        crops = self._augmentation.apply(batch)
        maps = self.net.supervised(crops["before"], crops["after"], crops.get("swapped"))
        return with_total(self._losses(maps, crops["label"]))

    def before_step(self, step: int) -> None:
        """Measure validation F1 if an epoch has just ended and enough of them have."""
        finished, rest = divmod(step, self._steps_per_epoch)
        if rest == 0 and finished > self._preset.first_evaluation:
            self.plateau.measure(self._validate(self.net))

    def rate_factor(self, step: int) -> float:
        """Return the rate of step ``step`` over the preset's: warm-up, then a tenth for each plateau."""
        lr = self._preset.lr
        return warmup_rate(step, lr, self._preset.warmup_steps) / lr * self.plateau.factor

    def get_extra_state(self) -> Tensor:
        """Return all measurements of validation F1, (M,) float64, for ``state_dict()``."""
        return torch.tensor(self.plateau.scores, dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Continue from the measurements of a checkpoint."""
        self.plateau.replay(state.tolist())
