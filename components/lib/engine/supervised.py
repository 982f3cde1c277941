"""Plain supervised training of one network: the optical teacher, and the SAR-only control."""

from __future__ import annotations

import torch

from components.lib.engine.task import Batch, TrainingTask
from components.lib.losses.contours import contour_loss
from components.lib.losses.segmentation import cross_entropy, dice_loss
from components.lib.nets.network import SegmentationNetwork


class SupervisedTask(TrainingTask):
    """``Seg = Dice + CE`` on the footprints (reference 1.4), and the contours where the network draws them.

    Args:
        net: Reads the batch's layer ``optical`` or ``sar``, as its modality says.
        contour_weight: Of the contour head's loss.
    """

    def __init__(self, net: SegmentationNetwork, contour_weight: float = 0.0) -> None:
        super().__init__()
        self.net, self.contour_weight = net, contour_weight

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """``loss`` and its terms ``dice``, ``ce``, ``contours``, from the net's layer and ``target``."""
        maps = self.net.forward_maps(batch[self.net.config.modality])
        footprint = batch["target"][:, 0]
        terms = {"dice": dice_loss(maps.logits, footprint), "ce": cross_entropy(maps.logits, footprint)}
        return total(terms | contour_term(maps.contours, batch["target"], self.contour_weight))


def contour_term(contours: torch.Tensor | None, target: torch.Tensor, weight: float) -> Batch:
    """The weighted term ``contours``; nothing for a network without that head.

    Args:
        contours: Logits (B, 3, H, W) or None.
        target: Layer ``target``, (B, 3, H, W).
        weight: Of the term.
    """
    return {} if contours is None else {"contours": weight * contour_loss(contours, target)}


def total(terms: Batch) -> Batch:
    """``terms`` with their sum as ``loss``."""
    return {"loss": torch.stack(list(terms.values())).sum(), **terms}
