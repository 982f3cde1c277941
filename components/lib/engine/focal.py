"""Supervised training with PP-LinkNet's focal loss in place of Dice and cross-entropy."""

from __future__ import annotations

from torch import Tensor

from components.lib.engine.batch import Batch
from components.lib.engine.supervised import SupervisedTask
from components.lib.losses.focal import RELEASED
from components.lib.losses.segmentation import IGNORE


class FocalTask(SupervisedTask):
    """Released focal loss on the target, and the contours where the network draws them.

    Args: As of :class:`SupervisedTask`; the network has two classes.
    """

    def class_terms(self, logits: Tensor, classes: Tensor) -> Batch:
        """Return the term ``focal``."""
        margin = logits[:, 1] - logits[:, 0]
        return {"focal": RELEASED.loss(margin, classes == 1, (classes != IGNORE).float())}
