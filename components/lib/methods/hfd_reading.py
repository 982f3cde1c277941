"""Our reading of HFD-Net (Gao and Dong, arXiv 2210.08988); its layers were never published.

Teacher and student have one architecture, in which multi-scale features are brought onto each other by learnt
flows ("heterogeneous feature alignment" as we read it) before they are summed and concatenated. In training,
features are compared through adapters, by their direction. See
docs/methods/distillation.md#hfd-net-our-reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.engine.batch import Batch
from components.lib.engine.distillation import DistillationTask
from components.lib.engine.supervised import contour_term, with_total
from components.lib.engine.task import TrainingTask, label_layer
from components.lib.losses.distillation import feature_mse
from components.lib.losses.reduction import at_size_of, weighted_mean
from components.lib.losses.segmentation import IGNORE, data_mask, ignore_nodata, segmentation_loss
from components.lib.methods.base import Method, MethodParameters, Setup, Teacher
from components.lib.nets.config import Alignment, NetworkConfig
from components.lib.nets.network import crop_to
from components.lib.nets.parts import conv_norm_relu, create_contour_head, create_head, resize
from components.lib.nets.singlemap import SingleMapNetwork

HFD_FEATURES = ("p2", "p3", "p4", "p5", "decoder")
"""Features that are compared: the pyramid, and the map that the head reads (the paper's "A")."""


class HfdReadingParameters(MethodParameters):
    """Section `methods.hfd_reading` of ``params.yaml``.

    Attributes:
        weight: Weight of the feature term, lambda.
        ramp: Share of the steps over which it rises from 0.
        alignment: Coarse maps are brought onto fine ones by a learnt ``flow``, or (``add``) upsampled.
        distance: Distance of adapted student and teacher features: ``direction`` or ``mse`` (ablation).
        logits: Weight of a KL term on the class maps at temperature 2 (ablation).
    """

    weight: float = Field(default=1.0, ge=0.0)
    ramp: float = Field(default=0.025, ge=0.0, le=1.0)
    alignment: Literal["flow", "add"] = "flow"
    distance: Literal["direction", "mse"] = "direction"
    logits: float = Field(default=0.0, ge=0.0)


class FlowAlignment(nn.Module):
    """Upsample a coarse map to a finer one and move it by a flow that both predict.

    The flow starts at zero, so an untrained module is plain upsampling.

    Args:
        guide_channels: Channels of the finer map.
        channels: Channels of the coarse map and of the result.
    """

    def __init__(self, guide_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce_guide = nn.Conv2d(guide_channels, channels // 2, 1)
        self.reduce_coarse = nn.Conv2d(channels, channels // 2, 1)
        self.flow = nn.Conv2d(2 * (channels // 2), 2, 3, padding=1)
        nn.init.zeros_(self.flow.weight)
        assert self.flow.bias is not None
        nn.init.zeros_(self.flow.bias)

    def forward(self, guide: Tensor, coarse: Tensor) -> Tensor:
        """Return ``coarse`` (B, channels, h, w) on the grid of ``guide`` (B, guide_channels, H, W)."""
        up = resize(coarse, guide.shape[-2:])
        return warp(up, self.flow(torch.cat([self.reduce_guide(guide), self.reduce_coarse(up)], dim=1)))


class PlainAlignment(nn.Module):
    """Upsampling alone: the ablation of :class:`FlowAlignment`."""

    def forward(self, guide: Tensor, coarse: Tensor) -> Tensor:
        """Return ``coarse`` on the grid of ``guide``."""
        return resize(coarse, guide.shape[-2:])


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Sample ``features`` at each pixel's own place plus its flow; beyond the border the border's value.

    Args:
        features: (B, C, H, W).
        flow: To the right and down, pixels, (B, 2, H, W).
    """
    height, width = features.shape[-2:]
    # Positions are computed in single precision: bf16 cannot tell two neighbouring pixels of 512 apart.
    y = torch.arange(height, device=flow.device, dtype=torch.float32)[:, None] + flow[:, 1].float()
    x = torch.arange(width, device=flow.device, dtype=torch.float32) + flow[:, 0].float()
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    moved = F.grid_sample(features.float(), grid, padding_mode="border", align_corners=False)
    return moved.to(features.dtype)


class HfdReading(SingleMapNetwork):
    """Dilated encoder, laterals, aligned top-down path, aligned fusion at stride 4, 1x1 head.

    Args:
        config: With ``kind`` "hfd_reading"; its ``alignment`` chooses flow or plain upsampling.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        channels, width = self.encoder.out_channels[-4:], config.decoder_channels
        self.laterals = nn.ModuleList(conv_norm_relu(c, width, 1) for c in channels)
        self.top_down = nn.ModuleList(_alignment(config.alignment, c, width) for c in channels[:-1])
        self.smooth = nn.ModuleList(conv_norm_relu(width, width, 3) for _ in channels[:-1])
        self.to_finest = nn.ModuleList(_alignment(config.alignment, width, width) for _ in channels[1:])
        self.merge = conv_norm_relu(len(channels) * width, width, 3)
        self.head = create_head(width, config.classes, kernel_size=1)
        self.contour_head = create_contour_head(width, wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits and ``HFD_FEATURES`` for ``x`` (B, C, H, W) in uint8 units."""
        features = self.encoder(self.normalise(x))[-4:]
        laterals = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        pyramid = [laterals[-1]]
        for level in (2, 1, 0):
            coarse = self.top_down[level](features[level], pyramid[0])
            pyramid.insert(0, self.smooth[level](laterals[level] + coarse))
        finest = pyramid[0]
        aligned = [align(finest, level) for align, level in zip(self.to_finest, pyramid[1:], strict=True)]
        decoded = self.merge(torch.cat([finest, *aligned], dim=1))
        named = dict(zip(HFD_FEATURES, [*pyramid, decoded], strict=True))
        return crop_to(self.head(decoded), x), named


def _alignment(kind: Alignment, guide_channels: int, channels: int) -> nn.Module:
    return FlowAlignment(guide_channels, channels) if kind == "flow" else PlainAlignment()


class FeatureAdapters(nn.Module):
    """Conv1x1-BN-ReLU-Conv3x3 per feature, on the student's side.

    Sensors have features of different kinds; what the student has need only *determine* what the teacher
    has, not equal it. Only the loss reads the result, and the module is thrown away after training.

    Args:
        channels: Channels of each feature, by name; the result has as many.
    """

    def __init__(self, channels: Mapping[str, int]) -> None:
        super().__init__()
        self.adapters = nn.ModuleDict({name: _adapter(count) for name, count in channels.items()})

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the adapted features, (B, C, h, w) each; those without an adapter are left out."""
        return {name: adapter(features[name]) for name, adapter in self.adapters.items()}


def _adapter(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
    )


class HfdReadingTask(DistillationTask[HfdReading]):
    """Teacher and student of one architecture, and adapters between them for training only.

    Args:
        student: The SAR network.
        teacher: The optical one.
        parameters: Weights and variants.
        contour_weight: Weight of the contour head's loss.
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
        """Return ``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target``."""
        sar, valid = batch["sar"], data_mask(batch["sar"])
        logits, features = self.student.forward_features(sar)
        teacher_logits, teacher_features = self.teacher_outputs(batch["optical"])
        classes = ignore_nodata(label_layer(batch["target"], "footprint"), sar)
        terms = {"seg": segmentation_loss(logits, classes, ignore_index=IGNORE)}
        if self.settings.weight:
            distance = {"direction": feature_direction, "mse": feature_mse}[self.settings.distance]
            compared = distance(self.adapters(features), teacher_features, HFD_FEATURES, valid)
            terms["features"] = self.share * self.settings.weight * compared
        if self.settings.logits:
            terms["logits"] = self.settings.logits * logit_kl(logits, teacher_logits, weight=valid)
        drawn = self.student.contours_of(features, sar)
        contours = () if drawn is None else (drawn,)
        return with_total(terms | contour_term(contours, batch["target"], sar, self.contour_weight))


class HfdReadingMethod(Method[HfdReadingParameters]):
    """Distillation between two networks of this module's architecture."""

    name = "hfd_reading"
    description = "SAR only, our reading of HFD-Net"
    parameters = HfdReadingParameters
    kind = "hfd_reading"
    network = HfdReading
    teacher = "hfd_reading"
    layers = ("sar", "optical", "target")
    tasks = ("buildings",)

    def network_options(self, parameters: HfdReadingParameters) -> dict[str, Any]:
        """Return how the network aligns its maps."""
        return {"alignment": parameters.alignment}

    def task(self, setup: Setup[HfdReadingParameters]) -> TrainingTask:
        """Return the segmentation loss and the feature term."""
        return HfdReadingTask(
            setup.student_as(HfdReading),
            setup.teacher_as(HfdReading),
            setup.parameters,
            contour_weight=setup.training.contour_weight,
            ramp_steps=setup.share_of_steps(setup.parameters.ramp),
        )


def feature_direction(
    student: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor],
    names: Sequence[str],
    weight: Tensor | None = None,
) -> Tensor:
    """Mean over the named features of ``|| nu(student) - nu(teacher) ||^2``, nu of length 1 over channels.

    ``L_fd`` of our reading of HFD-Net: sensors have features of different scales, their
    direction is what transfers. Each is a mean over the cells of the batch and lies between 0 and 4.

    Args and returns as :func:`feature_mse`.
    """
    terms = []
    for name in names:
        difference = F.normalize(student[name].float(), dim=1) - F.normalize(
            teacher[name].detach().float(), dim=1
        )
        cells = None if weight is None else at_size_of(weight, student[name])
        terms.append(weighted_mean(difference.square().sum(dim=1), cells))
    return torch.stack(terms).mean()


def logit_kl(
    logits: Tensor, teacher_logits: Tensor, *, temperature: float = 2.0, weight: Tensor | None = None
) -> Tensor:
    """Return ``T^2 * KL(softmax(teacher / T) || softmax(logits / T))``, mean over the pixels of the batch.

    Unlike soft cross-entropy it is 0 where the two agree. Args and returns as :func:`soft_cross_entropy`.
    """
    log_p = (teacher_logits.detach().float() / temperature).log_softmax(dim=1)
    log_q = (logits.float() / temperature).log_softmax(dim=1)
    return temperature**2 * weighted_mean((log_p.exp() * (log_p - log_q)).sum(dim=1), weight)


METHOD = HfdReadingMethod()
TEACHER = Teacher(kind="hfd_reading", description="optical images, the teacher of hfd_reading")
