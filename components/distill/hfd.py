"""Our reading of HFD-Net's training (reference 3.3): features through adapters, by their direction."""

from __future__ import annotations

from components.distill.parameters import HfdReadingParameters
from components.distill.taught import TaughtTask
from components.lib.engine.supervised import contour_term, total
from components.lib.engine.task import Batch
from components.lib.losses.distillation import feature_direction, feature_mse, logit_kl
from components.lib.losses.masks import data_mask
from components.lib.losses.segmentation import segmentation_loss
from components.lib.nets.adapters import FeatureAdapters
from components.lib.nets.hfd import HFD_FEATURES, HfdReading

_DISTANCES = {"direction": feature_direction, "mse": feature_mse}


class HfdReadingTask(TaughtTask[HfdReading]):
    """Teacher and student of one architecture, and a distillation model between them for training only.

    Args:
        student: The SAR network.
        teacher: The optical one.
        parameters: Weights and variants.
        contour_weight: Of the contour head's loss.
        ramp_steps: Steps over which the feature term rises.
    """

    def __init__(
        self,
        student: HfdReading,
        teacher: HfdReading,
        parameters: HfdReadingParameters,
        *,
        contour_weight: float = 0.0,
        ramp_steps: int = 0,
    ) -> None:
        super().__init__(student, teacher, contour_weight=contour_weight, ramp_steps=ramp_steps)
        self.settings = parameters
        self.adapters = FeatureAdapters(dict.fromkeys(HFD_FEATURES, student.config.decoder_channels))

    def losses(self, batch: Batch) -> Batch:
        """``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        logits, features = self.student.forward_features(batch["sar"])
        teacher_logits, teacher_features = self.taught(batch["optical"])
        seen = data_mask(batch["sar"])
        terms = {"seg": segmentation_loss(logits, batch["target"][:, 0])}
        if self.settings.weight:
            distance = _DISTANCES[self.settings.distance]
            compared = distance(self.adapters(features), teacher_features, HFD_FEATURES, seen)
            terms["features"] = self.share * self.settings.weight * compared
        if self.settings.logits:
            terms["logits"] = self.settings.logits * logit_kl(logits, teacher_logits, weight=seen)
        contours = self.student.contours_of(features, batch["sar"])
        return total(terms | contour_term(contours, batch["target"], self.contour_weight))
