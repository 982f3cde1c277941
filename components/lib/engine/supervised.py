"""Plain supervised training of one network: the optical teacher, and the SAR-only control."""

from __future__ import annotations

import torch

from components.lib.engine.task import Batch, TrainingTask
from components.lib.losses import cross_entropy, dice_loss
from components.lib.nets import SegmentationNetwork


class SupervisedTask(TrainingTask):
    """``Seg = Dice + CE`` on the footprints (reference 1.4).

    Args:
        net: Reads the batch's layer ``optical`` or ``sar``, as its modality says.
    """

    def __init__(self, net: SegmentationNetwork) -> None:
        super().__init__()
        self.net = net

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """``loss`` and its terms ``dice`` and ``ce``, from the net's layer and ``target`` channel 0."""
        logits = self.net(batch[self.net.config.modality])
        footprint = batch["target"][:, 0]
        dice, ce = dice_loss(logits, footprint), cross_entropy(logits, footprint)
        return {"loss": dice + ce, "dice": dice, "ce": ce}
