"""Concord, ours: follow the teacher where teacher, truth and both sensors' geometry agree.

DisOptNet's two branches with what the references suggest instead of its terms (distillation 4): relations and
channel-wise maps instead of equal features, the teacher's word only where the truth confirms it, no
comparison in layover, where the radar shows a facade and the optical image the ground before it, and a start
from the teacher's weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from components.distill.parameters import ConcordParameters
from components.distill.taught import TaughtTask
from components.lib.engine.loop import mixed_seed
from components.lib.engine.supervised import contour_term, total
from components.lib.engine.task import Batch
from components.lib.losses.channelwise import channelwise_distillation
from components.lib.losses.distillation import soft_cross_entropy
from components.lib.losses.masks import agreement_mask, data_mask, layover_mask
from components.lib.losses.relation import relation_loss
from components.lib.losses.segmentation import segmentation_loss
from components.lib.losses.symmetric import symmetric_cross_entropy
from components.lib.nets.disoptnet import DisOptNetStudent
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.tasks.labels import LABELS

FEATURE = "decoder"
_EDGE = LABELS.index("edge")


class ConcordTask(TaughtTask[DisOptNetStudent]):
    """A two-branch student and a teacher that is followed with care.

    Branch S and the fusion learn the truth. Branch R learns from the teacher: its classes, its probabilities
    and, in the decoder's feature, where its channels respond and what boundaries resemble.

    Args:
        student: The SAR network.
        teacher: The optical one, of the same encoder and decoder width.
        parameters: Weights and switches.
        layover_px: How far layover reaches above a footprint, pixels.
        seed: Of the relation loss's draws; with the step it fixes them, so that a resumed run repeats them.
        contour_weight: Of the contour head's loss.
        ramp_steps: Steps over which the teacher's probabilities gain weight.
    """

    def __init__(
        self,
        student: DisOptNetStudent,
        teacher: SingleMapNetwork,
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
        self._draws.manual_seed(mixed_seed(self.seed, step))

    def losses(self, batch: Batch) -> Batch:
        """``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        footprint = batch["target"][:, 0]
        branches = self.student.forward_branches(batch["sar"])
        terms = {
            "seg_s": segmentation_loss(branches.z_s, footprint),
            "seg_f": segmentation_loss(branches.z_f, footprint),
        }
        terms |= contour_term(branches.contours, batch["target"], self.contour_weight)
        return total(terms | self._teaching(branches.z_r, branches.features[FEATURE], batch))

    def _teaching(self, logits: Tensor, feature: Tensor, batch: Batch) -> Batch:
        """The weighted terms that the teacher has a say in; one of weight 0 is left out."""
        chosen, target = self.settings, batch["target"]
        teacher_logits, teacher_features = self.taught(batch["optical"])
        comparable = self._comparable(batch)
        trusted = comparable
        if chosen.trusted:
            agrees = agreement_mask(teacher_logits, target[:, 0])
            trusted = agrees if comparable is None else comparable & agrees
        theirs = teacher_features[FEATURE]
        terms: Batch = {}
        if chosen.labels:
            reverse = 0.5 if chosen.symmetric else 0.0
            terms["labels"] = chosen.labels * symmetric_cross_entropy(
                logits, teacher_logits.argmax(dim=1), reverse=reverse, weight=trusted
            )
        if chosen.soft:
            soft = soft_cross_entropy(logits, teacher_logits, trusted)
            terms["soft"] = self.share * chosen.soft * soft
        if chosen.channelwise:
            terms["channelwise"] = chosen.channelwise * channelwise_distillation(
                feature, theirs, weight=comparable
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
