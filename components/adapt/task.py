"""Losses of adaptation: the source with its labels, the target with its own or made ones (reference 1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor

from components.adapt.supervision import PseudoLabels
from components.lib.engine.jitter import zoom
from components.lib.engine.supervised import contour_term
from components.lib.engine.task import Batch, TrainingTask
from components.lib.losses.segmentation import IGNORE, cross_entropy, segmentation_loss
from components.lib.losses.symmetric import symmetric_cross_entropy
from components.lib.nets.csn import copy_sensor, reestimate_statistics
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sensorset import use_sensor
from components.lib.nets.stems import no_gradient_missing

TargetLoss = Literal["ce", "ce_dice", "symmetric"]


class AdaptationTask(TrainingTask):
    """``loss = source + target_weight * target`` on every map that labels supervise.

    Source: Dice + cross-entropy with its labels, and the contours where the network draws them; it keeps what
    the network knows. Target: the chosen loss, ignored pixels left out. One forward per sensor: CSN's batches
    hold one sensor.

    Args:
        net: Knowing both sensors.
        source: Sensor with labels.
        target: Sensor without.
        first_target_step: First step that sees the target.
        target_weight: Weight of the target's loss.
        pseudo: The target's labels; None where they come with the batch (``target_target``).
        target_loss: Of the target.
        survey: Gives batches of the target's images, (B, C, H, W) each, that its statistics are taken from
            before it is first seen; None leaves them copies of the source's.
        contour_weight: Of the contour head's loss on the source.
        crop: Side that crops which come with ``scales`` are zoomed to.
    """

    def __init__(
        self,
        net: SegmentationNetwork,
        *,
        source: str,
        target: str,
        first_target_step: int,
        target_weight: float,
        pseudo: PseudoLabels | None,
        target_loss: TargetLoss = "ce",
        survey: Callable[[], Iterable[Tensor]] | None = None,
        contour_weight: float = 0.0,
        crop: int | None = None,
    ) -> None:
        super().__init__()
        self.net, self.source, self.target = net, source, target
        self.first_target_step, self.pseudo, self.survey = first_target_step, pseudo, survey
        self.target_weight, self.target_loss = target_weight, target_loss
        self.contour_weight, self.zoomed_to = contour_weight, crop

    def before_step(self, step: int) -> None:
        """Give the target its statistics at its first step, then its labels of the round."""
        if step == self.first_target_step:
            copy_sensor(self.net, source=self.source, target=self.target)
            if self.survey is not None:
                estimate(self.net, self.target, self.survey())
        if self.pseudo is not None:
            self.pseudo.before_step(step, self.net)

    def losses(self, batch: Batch) -> Batch:
        """Losses of one batch of :class:`~components.adapt.batches.AdaptationBatches`."""
        batch = self._with_labels(batch)
        footprints = batch["source_target"]
        with use_sensor(self.net, self.source):
            maps = self.net.supervised(batch["source_sar"])
        terms = [segmentation_loss(z, footprints[:, 0]) for z in maps.logits]
        terms += contour_term(maps.contours, footprints, self.contour_weight).values()
        source = torch.stack(terms).sum()
        target = torch.zeros_like(source)
        if "target_sar" in batch:
            with use_sensor(self.net, self.target):
                logits = self.net.supervised_maps(batch["target_sar"])
            target = torch.stack([self._target_loss(z, batch["target_target"][:, 0]) for z in logits]).sum()
        loss = source + self.target_weight * target + no_gradient_missing(self.net)
        return {"loss": loss, "source": source, "target": target}

    def _with_labels(self, batch: Batch) -> Batch:
        """``batch`` with the target's labels, at the crops' scales."""
        if self.pseudo is not None and "target_windows" in batch:
            labels = self.pseudo.crops(batch["target_windows"], batch["target_sar"].shape[-1])
            batch = {**batch, "target_target": labels.unsqueeze(1)}
        if self.zoomed_to is None or "scales" not in batch:
            return batch
        # Codes are sampled by the nearest: what is ignored stays so.
        return zoom(batch, batch["scales"], self.zoomed_to, labels=("source_target", "target_target"))

    def _target_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.target_loss == "symmetric":
            return symmetric_cross_entropy(logits, labels, ignore_index=IGNORE)
        if self.target_loss == "ce_dice":
            return segmentation_loss(logits, labels, ignore_index=IGNORE)
        return cross_entropy(logits, labels, ignore_index=IGNORE)


def estimate(net: SegmentationNetwork, sensor: str, images: Iterable[Tensor]) -> None:
    """Set the statistics of ``sensor`` from batches of its ``images``, (B, C, H, W) each, on any device."""
    device = next(net.parameters()).device
    reestimate_statistics(net, sensor, (batch.to(device) for batch in images))
