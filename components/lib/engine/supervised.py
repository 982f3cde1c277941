"""Plain supervised training of one network: the optical teacher, and the SAR-only control."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from components.lib.engine.batch import Batch
from components.lib.engine.task import TrainingTask, target_classes
from components.lib.losses.contours import contour_loss
from components.lib.losses.segmentation import IGNORE, cross_entropy, data_mask, dice_loss
from components.lib.nets.network import SegmentationNetwork


class SupervisedTask(TrainingTask):
    """Dice and cross-entropy on the target, and the contours where the network draws them.

    Pixels without data in the image that is read, and those that the labels ignore, count in no term.

    Args:
        net: Reads the batch's layer ``optical`` or ``sar``, as its modality says.
        contour_weight: Weight of the contour head's loss.
    """

    def __init__(self, net: SegmentationNetwork, contour_weight: float = 0.0) -> None:
        super().__init__()
        self.net, self.contour_weight = net, contour_weight

    def losses(self, batch: Batch) -> Batch:
        """Return ``loss`` and its terms of :meth:`class_terms` and, with that head, ``contours``."""
        image, target = batch[self.net.config.modality], batch["target"]
        maps = self.net.forward_maps(image)
        classes = target_classes(target, image, self.net.config.task)
        terms = self.class_terms(maps.logits, classes)
        contours = () if maps.contours is None else (maps.contours,)
        return with_total(terms | contour_term(contours, target, image, self.contour_weight))

    def class_terms(self, logits: Tensor, classes: Tensor) -> Batch:
        """Return the terms ``dice`` and ``ce`` of the class map.

        Args:
            logits: (B, K, H, W).
            classes: Class of each pixel, (B, H, W), ``IGNORE`` where it does not count.
        """
        return {
            "dice": dice_loss(logits, classes, ignore_index=IGNORE),
            "ce": cross_entropy(logits, classes, ignore_index=IGNORE),
        }


def contour_term(
    contours: Sequence[torch.Tensor], target: torch.Tensor, image: torch.Tensor, weight: float
) -> Batch:
    """Return the weighted term ``contours``, the mean over all heads; nothing for a network without one.

    Args:
        contours: Logits of each head, (B, 3, H, W).
        target: Layer ``target``, (B, 3, H, W).
        image: Image that the network read, (B, C, H, W); its pixels without data do not count.
        weight: Weight of the term, however many heads there are.
    """
    if not contours:
        return {}
    valid = data_mask(image)
    losses = [contour_loss(drawn, target, weight=valid) for drawn in contours]
    return {"contours": weight * torch.stack(losses).mean()}


def with_total(terms: Batch) -> Batch:
    """Return ``terms`` with their sum as ``loss``."""
    return {"loss": torch.stack(list(terms.values())).sum(), **terms}
