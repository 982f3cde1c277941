"""DisOptNet's losses (reference 1.4)."""

from __future__ import annotations

from collections.abc import Sequence

from components.distill.taught import TaughtTask
from components.lib.engine.supervised import contour_term, total
from components.lib.engine.task import Batch
from components.lib.losses.distillation import feature_mse, pixelwise_distillation
from components.lib.losses.segmentation import segmentation_loss
from components.lib.nets.disoptnet import DisOptNetStudent
from components.lib.nets.singlemap import SingleMapNetwork


class DisOptNetTask(TaughtTask[DisOptNetStudent]):
    """A two-branch student whose branch R is pulled towards the teacher.

    Args:
        student: The two-branch SAR network.
        teacher: Same encoder and decoder width.
        features: Which of ``f4``, ``f5``, ``decoder`` branch R imitates.
        contour_weight: Of the contour head's loss.
        ramp_steps: Steps over which the soft-label term rises; 0 as released.
    """

    def __init__(
        self,
        student: DisOptNetStudent,
        teacher: SingleMapNetwork,
        features: Sequence[str],
        *,
        contour_weight: float = 0.0,
        ramp_steps: int = 0,
    ) -> None:
        super().__init__(student, teacher, contour_weight=contour_weight, ramp_steps=ramp_steps)
        self.features = tuple(features)

    def losses(self, batch: Batch) -> Batch:
        """``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        footprint = batch["target"][:, 0]
        branches = self.student.forward_branches(batch["sar"])
        teacher_logits, teacher_features = self.taught(batch["optical"])
        terms = {
            "seg_s": segmentation_loss(branches.z_s, footprint),
            "seg_r": segmentation_loss(branches.z_r, teacher_logits.argmax(dim=1)),
            "pw": self.share * pixelwise_distillation(branches.z_r, teacher_logits),
            "seg_f": segmentation_loss(branches.z_f, footprint),
            "features": feature_mse(branches.features, teacher_features, self.features),
        }
        return total(terms | contour_term(branches.contours, batch["target"], self.contour_weight))
