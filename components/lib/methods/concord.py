"""Concord, ours: follow the teacher where teacher, labels and both sensors' geometry agree.

DisOptNet's two branches with other terms (docs/methods/distillation.md): relations (BIDNet's idea) and
channel-wise maps (Shu et al., ICCV 2021) instead of equal features, the teacher's probabilities only where
the labels confirm its class, none of its classes, no comparison in layover, where the radar shows a facade
and the optical image the ground before it, and a start from the teacher's weights.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import TwoBranchNetwork
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.batch import Batch
from components.lib.engine.distillation import DistillationTask
from components.lib.engine.loop import mixed_seed
from components.lib.engine.supervised import contour_term, with_total
from components.lib.engine.task import TrainingTask, label_layer
from components.lib.losses.distillation import soft_cross_entropy
from components.lib.losses.reduction import at_size_of, weighted_mean
from components.lib.losses.segmentation import IGNORE, data_mask, ignore_nodata, segmentation_loss
from components.lib.methods.base import Method, MethodParameters, Setup, require_same_contours
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork

FEATURE = "decoder"
"""Feature of branch R that is compared with the teacher's."""

_OUTSIDE = -1e4
"""Logit of a cell without weight: its probability is exactly 0, and finite arithmetic keeps NaN away."""

ANCHORS, OTHERS = 512, 256
"""Boundary cells and random cells per image that are related, at most; as in BIDNet's code."""

LEAST_WEIGHT = 0.5
"""Least weight of a cell that is related to others."""

TYPICAL_HEIGHT_M = 8.0
"""Height assumed of a building whose own is not known: two to three storeys, metres."""


class ConcordParameters(MethodParameters):
    """Section `methods.concord` of ``params.yaml``; every part can be switched off.

    Attributes:
        start: ``optical`` starts both branches from the teacher's weights, ``scratch`` as DisOptNet does.
        output: The student's map that is deployed; ``branch_s`` costs half.
        soft: Weight of soft cross-entropy of branch R with the teacher's probabilities; DisOptNet's is 8.
        ramp: Share of the steps over which that term rises from 0.
        channelwise: Weight of channel-wise distillation of the decoder's feature.
        relation: Weight of the relation loss on building boundaries, of the decoder's feature.
        trusted: Follow the teacher's probabilities only where its class is the true one.
        masked: Leave pixels in layover or without data out of all that compares sensors.
    """

    start: Literal["optical", "scratch"] = "optical"
    output: Literal["fused", "branch_s"] = "fused"
    soft: float = Field(default=2.0, ge=0.0)
    ramp: float = Field(default=0.4, ge=0.0, le=1.0)
    channelwise: float = Field(default=0.25, ge=0.0)
    relation: float = Field(default=0.25, ge=0.0)
    trusted: bool = True
    masked: bool = True


class ConcordTask(DistillationTask[TwoBranchNetwork]):
    """A two-branch student and a teacher that is followed where it can be.

    Branch S and the fusion learn the labels. Branch R learns from the teacher: its probabilities and, in the
    decoder's feature, where its channels respond and what boundaries resemble.

    Args:
        student: The SAR network.
        teacher: The optical one, of the same encoder and decoder width.
        parameters: Weights and switches.
        layover_px: Length of layover above a footprint in a crop that is not zoomed, pixels.
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
        classes = ignore_nodata(label_layer(batch["target"], "footprint"), batch["sar"])
        branches = self.student.forward_branches(batch["sar"])
        terms = {
            "seg_s": segmentation_loss(branches.z_s, classes, ignore_index=IGNORE),
            "seg_f": segmentation_loss(branches.z_f, classes, ignore_index=IGNORE),
        }
        terms |= contour_term(branches.contours, batch["target"], batch["sar"], self.contour_weight)
        return with_total(terms | self._teaching(branches.z_r, branches.features[FEATURE], batch))

    def _teaching(self, logits: Tensor, feature: Tensor, batch: Batch) -> Batch:
        """Return the weighted terms that depend on the teacher; one of weight 0 is left out."""
        chosen, target = self.settings, batch["target"]
        teacher_logits, teacher_features = self.teacher_outputs(batch["optical"])
        comparable = self._comparable(batch)
        theirs = teacher_features[FEATURE]
        terms: Batch = {}
        if chosen.soft:
            trusted = comparable
            if chosen.trusted:
                agrees = agreement_mask(teacher_logits, label_layer(target, "footprint"))
                trusted = agrees if comparable is None else comparable & agrees
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
        length: Tensor | int = self.layover_px
        if "scales" in batch:  # of the zoom that the crops have had
            length = torch.ceil(batch["scales"] * self.layover_px)
        return data_mask(batch["sar"]) & ~layover_mask(footprint, length)


class Concord(Method[ConcordParameters]):
    """DisOptNet's network, started from the teacher and taught where sensors can be compared."""

    name = "concord"
    description = "SAR only, taught by the teacher where it can be followed (ours)"
    parameters = ConcordParameters
    kind = "disoptnet"
    teacher = "deeplabv3plus"
    layers = ("sar", "optical", "target")
    tasks = ("buildings",)

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


def channelwise_distillation(
    student: Tensor, teacher: Tensor, *, temperature: float = 4.0, weight: Tensor | None = None
) -> Tensor:
    """Return ``T^2 * KL(softmax(teacher / T) || softmax(student / T))``, softmax over each channel's space.

    Channel-wise distillation (Shu et al., ICCV 2021): where a channel responds, not how strongly.

    A mean over channels and over the images that have any weight, each counting once; so it neither grows
    with the batch nor with the map.

    Args:
        student: (B, C, h, w); gradients flow here only.
        teacher: (B, C, h, w).
        temperature: T; the higher, the more of the map beside its maximum counts. 4 in the paper's features.
        weight: Weight of each pixel, (B, H, W); cells weigh their mean, in both distributions alike.

    Returns:
        Scalar, float32.
    """
    scaled_student = student.float().flatten(2) / temperature
    scaled_teacher = teacher.detach().float().flatten(2) / temperature
    seen = None
    if weight is not None:
        prior = at_size_of(weight, student).flatten(1)
        seen = prior.sum(dim=1) > 0
        offset = torch.where(prior > 0, prior.clamp_min(1e-30).log(), _OUTSIDE).unsqueeze(1)
        scaled_student, scaled_teacher = scaled_student + offset, scaled_teacher + offset
    log_p = scaled_teacher.log_softmax(dim=2)
    divergence = (log_p.exp() * (log_p - scaled_student.log_softmax(dim=2))).sum(dim=2).mean(dim=1)
    return temperature**2 * weighted_mean(divergence, seen)


def relation_loss(
    student: Tensor,
    teacher: Tensor,
    boundary: Tensor,
    *,
    generator: torch.Generator,
    weight: Tensor | None = None,
    anchors: int = ANCHORS,
    others: int = OTHERS,
) -> Tensor:
    """Mean squared difference of the cosine similarities of boundary cells x random cells.

    A mean over all pairs drawn in the (global) batch; both cells of a pair are of one image. Equal for equal
    inputs and an equal state of ``generator``.

    Args:
        student: (B, C, h, w); gradients flow here only.
        teacher: (B, D, h, w).
        boundary: Non-zero on building boundaries, (B, H, W); the store's edge channel.
        generator: Draws the cells, on any device.
        weight: Weight of each pixel, (B, H, W); a cell that has less than half of it is not drawn.
        anchors: Boundary cells per image, at most.
        others: Random cells per image, at most.

    Returns:
        Scalar, float32; 0 if no image has a boundary.
    """
    on_boundary = at_size_of(boundary != 0, student).flatten(1) > 0
    usable = torch.ones_like(on_boundary)
    if weight is not None:
        usable = at_size_of(weight, student).flatten(1) >= LEAST_WEIGHT
    first, first_ok = _draw(on_boundary & usable, anchors, generator)
    second, second_ok = _draw(usable, others, generator)
    difference = _similarities(student, first, second) - _similarities(teacher.detach(), first, second)
    pairs = first_ok.unsqueeze(2) & second_ok.unsqueeze(1)
    return weighted_mean(difference.square(), pairs)


def _draw(eligible: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Up to ``count`` eligible cells per image: indices (B, n) and which of them are eligible, (B, n).

    The shapes do not depend on how many are eligible, so the host never waits for the device to count them.
    """
    keys = torch.rand(eligible.shape, generator=generator, device=generator.device)
    # At least 1 for the eligible, 0 for the rest: the rest fill up, and are told apart by the key.
    keys = (keys + 1).to(eligible.device) * eligible
    top = keys.topk(min(count, keys.shape[1]), dim=1)
    return top.indices, top.values > 0


def _similarities(features: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarities (B, n, m) of the cells ``first`` (B, n) and ``second`` (B, m)."""
    cells = F.normalize(features.float().flatten(2), dim=1)

    def pick(index: Tensor) -> Tensor:
        return cells.gather(2, index.unsqueeze(1).expand(-1, cells.shape[1], -1))

    return pick(first).transpose(1, 2) @ pick(second)


def layover_px(incidence_deg: float, gsd_m: float, height_m: float = TYPICAL_HEIGHT_M) -> int:
    """Return the upward displacement of a point of ``height_m``, pixels, rounded up.

    Args:
        incidence_deg: Angle of the wave from the vertical.
        gsd_m: Pixel size of the stored grid.
        height_m: Height above ground.
    """
    displacement = height_m / (math.tan(math.radians(incidence_deg)) * gsd_m)
    return math.ceil(round(displacement, 6))  # tan(45 degrees) is a hair below 1


def layover_mask(footprints: Tensor, length_px: Tensor | int) -> Tensor:
    """Return the band of ``length_px`` rows on the radar's side of each footprint, footprints left out.

    A building below the crop's last row cannot be seen, so neither can its layover.

    Args:
        footprints: (B, H, W), non-zero on buildings, aligned as stored; mirrored left to right at most.
        length_px: As :func:`layover_px` gives it, for all crops or for each, (B,).

    Returns:
        (B, H, W) bool.
    """
    building = footprints != 0
    height = footprints.shape[1]
    rows = torch.arange(height, device=footprints.device).view(1, height, 1)
    lengths = length_px.view(-1, 1, 1) if isinstance(length_px, Tensor) else length_px
    # Row of the nearest building below; a pixel without one has a row that no length reaches.
    marked = torch.where(building, rows, torch.iinfo(rows.dtype).max // 2)
    nearest = marked.flip(1).cummin(dim=1).values.flip(1)
    return (nearest - rows <= lengths) & ~building


def agreement_mask(teacher_logits: Tensor, truth: Tensor) -> Tensor:
    """Pixels whose class the teacher gets right, (B, H, W) bool.

    Args:
        teacher_logits: (B, K, H, W).
        truth: Class of each pixel, (B, H, W), any integer dtype.
    """
    return teacher_logits.argmax(dim=1) == truth


METHOD = Concord()
