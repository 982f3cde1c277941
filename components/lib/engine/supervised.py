"""Plain supervised training of one network: the optical teacher, and the SAR-only control."""

from __future__ import annotations

import torch

from components.lib.engine.batch import Batch
from components.lib.engine.task import TrainingTask, label_layer
from components.lib.losses.contours import contour_loss
from components.lib.losses.segmentation import cross_entropy, dice_loss
from components.lib.nets.network import SegmentationNetwork


class SupervisedTask(TrainingTask):
    """Dice and cross-entropy on the footprints, and the contours where the network draws them.

    Args:
        net: Reads the batch's layer ``optical`` or ``sar``, as its modality says.
        contour_weight: Weight of the contour head's loss.
    """

    def __init__(self, net: SegmentationNetwork, contour_weight: float = 0.0) -> None:
        super().__init__()
        self.net, self.contour_weight = net, contour_weight

    def losses(self, batch: Batch) -> Batch:
        """Return ``loss`` and its terms ``dice``, ``ce`` and, with that head, ``contours``."""
        maps = self.net.forward_maps(batch[self.net.config.modality])
        footprint = label_layer(batch["target"], "footprint")
        terms = {"dice": dice_loss(maps.logits, footprint), "ce": cross_entropy(maps.logits, footprint)}
        return with_total(terms | contour_term(maps.contours, batch["target"], self.contour_weight))


def contour_term(contours: torch.Tensor | None, target: torch.Tensor, weight: float) -> Batch:
    """Return the weighted term ``contours``; nothing for a network without that head.

    Args:
        contours: Logits (B, 3, H, W) or None.
        target: Layer ``target``, (B, 3, H, W).
        weight: Weight of the term.
    """
    return {} if contours is None else {"contours": weight * contour_loss(contours, target)}


def with_total(terms: Batch) -> Batch:
    """Return ``terms`` with their sum as ``loss``."""
    return {"loss": torch.stack(list(terms.values())).sum(), **terms}
