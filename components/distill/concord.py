"""Concord, ours: follow the teacher where teacher, truth and both sensors' geometry agree.

What the references suggest (distillation 4) in one branch: relations and channel-wise maps instead of equal
features, the teacher's word only where the truth confirms it, and no comparison in layover, where the radar
shows a facade and the optical image the ground before it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from components.distill.parameters import ConcordParameters
from components.distill.taught import TaughtTask
from components.lib.engine.supervised import contour_term, total
from components.lib.engine.task import Batch
from components.lib.losses import (
    agreement_mask,
    channelwise_distillation,
    data_mask,
    layover_mask,
    logit_kl,
    relation_loss,
    segmentation_loss,
    symmetric_cross_entropy,
)
from components.lib.nets import CONTOURS, DeepLab

FEATURE = "decoder"
_EDGE = CONTOURS.index("edge")


class ConcordTask(TaughtTask[DeepLab]):
    """The control's network with a teacher beside it.

    Args:
        student: The SAR network.
        teacher: The optical one, of the same decoder width.
        parameters: Weights and switches.
        layover_px: How far layover reaches above a footprint, pixels.
        seed: Of the relation loss's draws; with the step it fixes them, so that a resumed run repeats them.
        contour_weight: Of the contour head's loss.
        ramp_steps: Steps over which the teacher's terms rise.
    """

    def __init__(
        self,
        student: DeepLab,
        teacher: DeepLab,
        parameters: ConcordParameters,
        *,
        layover_px: int,
        seed: int,
        contour_weight: float = 0.0,
        ramp_steps: int = 0,
    ) -> None:
        super().__init__(student, teacher, contour_weight=contour_weight, ramp_steps=ramp_steps)
        self.settings, self.layover_px, self.seed = parameters, layover_px, seed
        self._draws = torch.Generator()

    def before_step(self, step: int) -> None:
        """Set the ramp's share and the draws of ``step``."""
        super().before_step(step)
        # The CPU's generator reads 32 bits of its seed, so the two numbers are mixed first.
        self._draws.manual_seed(int(np.random.SeedSequence((self.seed, step)).generate_state(1)[0]))

    def losses(self, batch: Batch) -> Batch:
        """``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        logits, features = self.student.forward_features(batch["sar"])
        contours = self.student.contours_of(features, batch["sar"])
        terms = {"seg": segmentation_loss(logits, batch["target"][:, 0])}
        terms |= contour_term(contours, batch["target"], self.contour_weight)
        taught = self._teaching(logits, features[FEATURE], batch)
        return total(terms | {name: self.share * term for name, term in taught.items()})

    def _teaching(self, logits: Tensor, feature: Tensor, batch: Batch) -> Batch:
        """The weighted terms that the teacher has a say in."""
        chosen, target = self.settings, batch["target"]
        teacher_logits, teacher_features = self.taught(batch["optical"])
        comparable = self._comparable(batch)
        trusted = comparable
        if chosen.trusted:
            agrees = agreement_mask(teacher_logits, target[:, 0])
            trusted = agrees if comparable is None else comparable & agrees
        theirs = teacher_features[FEATURE]
        terms: Batch = {}
        if chosen.logits:
            terms["logits"] = chosen.logits * logit_kl(logits, teacher_logits, weight=trusted)
        if chosen.labels:
            reverse = 0.5 if chosen.symmetric else 0.0
            terms["labels"] = chosen.labels * symmetric_cross_entropy(
                logits, teacher_logits.argmax(dim=1), reverse=reverse, weight=trusted
            )
        if chosen.channelwise:
            terms["channelwise"] = chosen.channelwise * channelwise_distillation(
                feature, theirs, weight=trusted
            )
        if chosen.relation:
            terms["relation"] = chosen.relation * relation_loss(
                feature, theirs, target[:, _EDGE], generator=self._draws, weight=comparable
            )
        return terms

    def _comparable(self, batch: Batch) -> Tensor | None:
        """Pixels (B, H, W) where both sensors show the same thing; None for all."""
        if not self.settings.masked:
            return None
        return data_mask(batch["sar"]) & ~layover_mask(batch["target"][:, 0], self.layover_px)
