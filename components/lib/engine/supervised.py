"""Plain supervised training of one network: the optical teacher, and the SAR-only control."""

from __future__ import annotations

from collections.abc import Sequence

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
        contours = () if maps.contours is None else (maps.contours,)
        return with_total(terms | contour_term(contours, batch["target"], self.contour_weight))


def contour_term(contours: Sequence[torch.Tensor], target: torch.Tensor, weight: float) -> Batch:
    """Return the weighted term ``contours``, the mean over all heads; nothing for a network without one.

    Args:
        contours: Logits of each head, (B, 3, H, W).
        target: Layer ``target``, (B, 3, H, W).
        weight: Weight of the term, however many heads there are.
    """
    if not contours:
        return {}
    return {"contours": weight * torch.stack([contour_loss(drawn, target) for drawn in contours]).mean()}


def with_total(terms: Batch) -> Batch:
    """Return ``terms`` with their sum as ``loss``."""
    return {"loss": torch.stack(list(terms.values())).sum(), **terms}
