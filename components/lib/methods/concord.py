"""Concord, ours: follow the teacher where teacher, labels and both sensors' geometry agree.

DisOptNet's two branches with other terms (docs/methods/distillation.md): relations (BIDNet's idea) and
channel-wise maps (Shu et al., ICCV 2021) instead of equal features, the teacher's classes only where the
labels confirm them, no comparison in layover, where the radar shows a facade and the optical image the ground
before it, and a start from the teacher's weights.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from components.lib.datasets.sensors import get_sensor
from components.lib.engine.batch import Batch
from components.lib.engine.distillation import DistillationTask
from components.lib.engine.loop import mixed_seed
from components.lib.engine.supervised import contour_term, with_total
from components.lib.engine.task import TrainingTask, label_layer
from components.lib.losses.channelwise import channelwise_distillation
from components.lib.losses.distillation import soft_cross_entropy
from components.lib.losses.masks import agreement_mask, data_mask, layover_mask, layover_px
from components.lib.losses.relation import relation_loss
from components.lib.losses.segmentation import segmentation_loss
from components.lib.losses.symmetric import symmetric_cross_entropy
from components.lib.methods.base import Method, MethodParameters, Setup, require_same_contours
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.nets.two_branch import TwoBranchNetwork

FEATURE = "decoder"


class ConcordParameters(MethodParameters):
    """Section `methods.concord` of ``params.yaml``; every part can be switched off.

    Attributes:
        start: ``optical`` starts both branches from the teacher's weights, ``scratch`` as DisOptNet does.
        output: The student's map that is deployed; ``branch_s`` costs half.
        labels: Weight of cross-entropy of branch R with the teacher's classes.
        symmetric: That cross-entropy both ways round.
        soft: Weight of soft cross-entropy of branch R with the teacher's probabilities; DisOptNet's is 8.
        ramp: Share of the steps over which that term rises from 0.
        channelwise: Weight of channel-wise distillation of the decoder's feature.
        relation: Weight of the relation loss on building boundaries, of the decoder's feature.
        trusted: Follow the teacher's classes and probabilities only where its class is the true one.
        masked: Leave pixels in layover or without data out of all that compares sensors.
    """

    start: Literal["optical", "scratch"] = "optical"
    output: Literal["fused", "branch_s"] = "fused"
    labels: float = Field(default=0.25, ge=0.0)
    symmetric: bool = True
    soft: float = Field(default=2.0, ge=0.0)
    ramp: float = Field(default=0.4, ge=0.0, le=1.0)
    channelwise: float = Field(default=0.25, ge=0.0)
    relation: float = Field(default=0.25, ge=0.0)
    trusted: bool = True
    masked: bool = True


class ConcordTask(DistillationTask[TwoBranchNetwork]):
    """A two-branch student and a teacher that is followed where it can be.

    Branch S and the fusion learn the labels. Branch R learns from the teacher: its classes, its probabilities
    and, in the decoder's feature, where its channels respond and what boundaries resemble.

    Args:
        student: The SAR network.
        teacher: The optical one, of the same encoder and decoder width.
        parameters: Weights and switches.
        layover_px: Length of layover above a footprint, pixels.
        seed: Seed of the relation loss's draws; with the step it fixes them, so that a resumed run repeats
            them.
        contour_weight: Weight of the contour head's loss.
        ramp_steps: Steps over which the teacher's probabilities gain weight.
    """

    def __init__(
        self,
        student: TwoBranchNetwork,
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
        """Return ``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        footprint = label_layer(batch["target"], "footprint")
        branches = self.student.forward_branches(batch["sar"])
        terms = {
            "seg_s": segmentation_loss(branches.z_s, footprint),
            "seg_f": segmentation_loss(branches.z_f, footprint),
        }
        terms |= contour_term(branches.contours, batch["target"], self.contour_weight)
        return with_total(terms | self._teaching(branches.z_r, branches.features[FEATURE], batch))

    def _teaching(self, logits: Tensor, feature: Tensor, batch: Batch) -> Batch:
        """Return the weighted terms that depend on the teacher; one of weight 0 is left out."""
        chosen, target = self.settings, batch["target"]
        teacher_logits, teacher_features = self.teacher_outputs(batch["optical"])
        comparable = self._comparable(batch)
        trusted = comparable
        if chosen.trusted:
            agrees = agreement_mask(teacher_logits, label_layer(target, "footprint"))
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
                feature, theirs, label_layer(target, "edge"), generator=self._draws, weight=comparable
            )
        return terms

    def _comparable(self, batch: Batch) -> Tensor | None:
        """Return the pixels (B, H, W) where both sensors show the same thing; None for all."""
        if not self.settings.masked:
            return None
        footprint = label_layer(batch["target"], "footprint")
        return data_mask(batch["sar"]) & ~layover_mask(footprint, self.layover_px)


class Concord(Method[ConcordParameters]):
    """DisOptNet's network, started from the teacher and taught where sensors can be compared."""

    name = "concord"
    description = "SAR only, taught by the teacher where it can be followed (ours)"
    parameters = ConcordParameters
    kind = "disoptnet"
    teacher = "deeplabv3plus"
    layers = ("sar", "optical", "target")

    def network_options(self, parameters: ConcordParameters) -> dict[str, Any]:
        """Return which map is deployed."""
        return {"output": parameters.output}

    def start(
        self, net: SegmentationNetwork, teacher: SingleMapNetwork | None, parameters: ConcordParameters
    ) -> None:
        """Give both branches of ``net`` the teacher's weights, if the parameters say so."""
        if parameters.start == "optical":
            start_from_teacher(net, teacher)

    def task(self, setup: Setup[ConcordParameters]) -> TrainingTask:
        """Return the losses, with the layover of the sensor's incidence angle."""
        sensor = get_sensor(setup.sensor)
        return ConcordTask(
            setup.student_as(TwoBranchNetwork),
            setup.teacher_as(DeepLab),
            setup.parameters,
            layover_px=layover_px(sensor.incidence_deg, sensor.gsd_m),
            seed=setup.training.seed,
            contour_weight=setup.training.contour_weight,
            ramp_steps=setup.share_of_steps(setup.parameters.ramp),
        )


def start_from_teacher(net: SegmentationNetwork, teacher: SegmentationNetwork | None) -> None:
    """Copy the weights of the DeepLabV3+ ``teacher`` into both branches of ``net``.

    Raises:
        ParameterError: If one has a contour head and the other has not.
    """
    assert isinstance(net, TwoBranchNetwork)
    assert isinstance(teacher, DeepLab)
    require_same_contours(net, teacher)
    net.copy_weights_of(teacher)


METHOD = Concord()
