"""DisOptNet (Kang et al., TGRS 2022): a branch of the SAR network imitates the optical teacher.

Losses as released; see docs/methods/distillation.md. The network is shared
(:mod:`components.lib.architectures.two_branch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import TwoBranchNetwork
from components.lib.engine.batch import Batch
from components.lib.engine.distillation import DistillationTask
from components.lib.engine.supervised import contour_term, with_total
from components.lib.engine.task import TrainingTask, counted_pixels, target_classes
from components.lib.losses.distillation import feature_mse, soft_cross_entropy
from components.lib.losses.segmentation import IGNORE, segmentation_loss
from components.lib.methods.base import Method, MethodParameters, Setup
from components.lib.nets.singlemap import SingleMapNetwork

REFERENCE_BATCH = 8
"""Batch of the released recipe, whose soft cross-entropy is summed over images: its effective weight."""


class DisOptNetParameters(MethodParameters):
    """Section `methods.disoptnet` of ``params.yaml``.

    Attributes:
        features: Features that branch R imitates. The released code pairs features of different sizes and
            crashes; the last two encoder features and the decoder's are the alternative that its student
            agrees with (docs/methods/distillation.md).
        output: The student's map that is deployed; ``branch_s`` costs half.
        soft_ramp: Share of the steps over which the soft-label term, eightfold the others, rises from 0; 0
            has it whole from the first step, as released. Ours: at its full weight it is most of the
            gradient while the network is raw, and kills branch R in short runs from random weights.
    """

    features: list[Literal["f4", "f5", "decoder"]] = Field(min_length=1)
    output: Literal["fused", "branch_s"]
    soft_ramp: float = Field(default=0.0, ge=0.0, le=1.0)


class DisOptNetTask(DistillationTask[TwoBranchNetwork]):
    """A two-branch student whose branch R is pulled towards the teacher.

    Args:
        student: The two-branch SAR network.
        teacher: Optical network of the same encoder and decoder width.
        features: Those of ``f4``, ``f5``, ``decoder`` that branch R imitates.
        contour_weight: Weight of the contour head's loss.
        ramp_steps: Steps over which the soft-label term rises; 0 as released.
    """

    def __init__(
        self,
        student: TwoBranchNetwork,
        teacher: SingleMapNetwork,
        features: Sequence[str],
        *,
        contour_weight: float = 0.0,
        ramp_steps: int = 0,
    ) -> None:
        super().__init__(student, teacher, contour_weight=contour_weight, ramp_steps=ramp_steps)
        self.features = tuple(features)

    def losses(self, batch: Batch) -> Batch:
        """Return ``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        sar, target, task = batch["sar"], batch["target"], self.student.config.task
        valid, classes = counted_pixels(target, sar, task), target_classes(target, sar, task)
        branches = self.student.forward_branches(sar)
        teacher_logits, teacher_features = self.teacher_outputs(batch["optical"])
        taught = torch.where(valid, teacher_logits.argmax(dim=1), IGNORE)
        terms = {
            "seg_s": segmentation_loss(branches.z_s, classes, ignore_index=IGNORE),
            "seg_r": segmentation_loss(branches.z_r, taught, ignore_index=IGNORE),
            "pw": self.share * pixelwise_distillation(branches.z_r, teacher_logits, valid),
            "seg_f": segmentation_loss(branches.z_f, classes, ignore_index=IGNORE),
            "features": feature_mse(branches.features, teacher_features, self.features, valid),
        }
        return with_total(terms | contour_term(branches.contours, target, sar, self.contour_weight))


class DisOptNet(Method[DisOptNetParameters]):
    """Method as released, with a ramp for short runs."""

    name = "disoptnet"
    description = "SAR only, taught by the teacher"
    parameters = DisOptNetParameters
    kind = "disoptnet"
    teacher = "deeplabv3plus"
    layers = ("sar", "optical", "target")

    def network_options(self, parameters: DisOptNetParameters) -> dict[str, Any]:
        """Return which map is deployed."""
        return {"output": parameters.output}

    def task(self, setup: Setup[DisOptNetParameters]) -> TrainingTask:
        """Return the two branches' losses."""
        return DisOptNetTask(
            setup.student_as(TwoBranchNetwork),
            setup.teacher_as(DeepLab),
            setup.parameters.features,
            contour_weight=setup.training.contour_weight,
            ramp_steps=setup.share_of_steps(setup.parameters.soft_ramp),
        )


def pixelwise_distillation(logits: Tensor, teacher_logits: Tensor, weight: Tensor | None = None) -> Tensor:
    """PW, at the strength of the released batch of 8 whatever the batch is: ``8 * mean soft-CE``.

    Args and returns as :func:`soft_cross_entropy`.
    """
    return REFERENCE_BATCH * soft_cross_entropy(logits, teacher_logits, weight)


METHOD = DisOptNet()
