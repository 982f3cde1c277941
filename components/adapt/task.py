"""Losses of adaptation: the source with its labels, the target with pseudo-labels or (evidence) its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Literal

import torch
from torch import Tensor

from components.adapt.pseudo_labels import PseudoLabels
from components.lib.engine.batch import Batch
from components.lib.engine.supervised import contour_term
from components.lib.engine.task import TrainingTask, label_layer
from components.lib.losses.segmentation import IGNORE, cross_entropy, ignore_nodata, segmentation_loss
from components.lib.losses.symmetric import symmetric_cross_entropy
from components.lib.nets.csn import copy_sensor, reestimate_statistics
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sensorset import use_sensor
from components.lib.nets.stems import no_gradient_missing

TargetLoss = Literal["ce", "ce_dice", "symmetric"]


class AdaptationTask(TrainingTask):
    """Loss ``source + target_weight * target`` on every map that labels supervise.

    Source: Dice + cross-entropy with its labels, and the contours where the network draws them; it keeps what
    the network knows. Target: the chosen loss, ignored pixels left out. Pixels without data count on neither
    side. One forward per sensor: CSN's batches hold one sensor.

    Args:
        net: Knowing both sensors.
        source: Sensor with labels.
        target: Sensor without.
        first_target_step: First step that sees the target.
        target_weight: Weight of the target's loss.
        pseudo: The target's pseudo-labels; None where its labels come with the batch (``target_labels``).
        target_loss: Loss of the target.
        target_images: Gives batches of the target's images, (B, C, H, W) each, that its statistics are
            estimated from before its first step; None leaves them copies of the source's.
        contour_weight: Weight of the contour head's loss on the source.
        crop: Side that crops which come with ``scales`` are zoomed to.
    """

    masks: ClassVar[tuple[str, ...]] = ("source_labels", "target_labels")
    classes: ClassVar[tuple[str, ...]] = ("pseudo_labels",)

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
        target_images: Callable[[], Iterable[Tensor]] | None = None,
        contour_weight: float = 0.0,
        crop: int | None = None,
    ) -> None:
        super().__init__()
        self.net, self.source, self.target = net, source, target
        self.first_target_step, self.pseudo, self.target_images = first_target_step, pseudo, target_images
        self.target_weight, self.target_loss = target_weight, target_loss
        self.contour_weight, self.crop = contour_weight, crop

    def before_step(self, step: int) -> None:
        """Give the target its statistics at its first step, then its labels of the round."""
        if step == self.first_target_step:
            copy_sensor(self.net, source=self.source, target=self.target)
            if self.target_images is not None:
                estimate_statistics(self.net, self.target, self.target_images())
        if self.pseudo is not None:
            self.pseudo.before_step(step, self.net)

    def complete(self, batch: Batch) -> Batch:
        """Return ``batch`` with ``pseudo_labels`` (B, 1, c, c) where the target's crops were cut."""
        if self.pseudo is None or "target_windows" not in batch:
            return batch
        labels = self.pseudo.crops(batch["target_windows"], batch["target_sar"].shape[-1])
        return {**batch, "pseudo_labels": labels.unsqueeze(1)}

    def losses(self, batch: Batch) -> Batch:
        """Return the losses of one batch of :class:`~components.adapt.batches.AdaptationBatches`."""
        sar, labels = batch["source_sar"], batch["source_labels"]
        with use_sensor(self.net, self.source):
            maps = self.net.supervised(sar)
        classes = ignore_nodata(label_layer(labels, "footprint"), sar)
        terms = [segmentation_loss(z, classes, ignore_index=IGNORE) for z in maps.logits]
        terms += contour_term(maps.contours, labels, sar, self.contour_weight).values()
        source = torch.stack(terms).sum()
        target = torch.zeros_like(source)
        if "target_sar" in batch:
            with use_sensor(self.net, self.target):
                logits = self.net.supervised_maps(batch["target_sar"])
            wanted = self._target_classes(batch)
            target = torch.stack([self._target_loss(z, wanted) for z in logits]).sum()
        loss = source + self.target_weight * target + no_gradient_missing(self.net)
        return {"loss": loss, "source": source, "target": target}

    def _target_classes(self, batch: Batch) -> Tensor:
        """Return the class of each pixel of the target's crops, (B, H, W), some of them ``IGNORE``."""
        if self.pseudo is not None:
            return batch["pseudo_labels"][:, 0]
        return ignore_nodata(label_layer(batch["target_labels"], "footprint"), batch["target_sar"])

    def _target_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.target_loss == "symmetric":
            return symmetric_cross_entropy(logits, labels, ignore_index=IGNORE)
        if self.target_loss == "ce_dice":
            return segmentation_loss(logits, labels, ignore_index=IGNORE)
        return cross_entropy(logits, labels, ignore_index=IGNORE)


def estimate_statistics(net: SegmentationNetwork, sensor: str, images: Iterable[Tensor]) -> None:
    """Set the statistics of ``sensor`` from batches of its ``images``, (B, C, H, W) each, on any device."""
    device = next(net.parameters()).device
    reestimate_statistics(net, sensor, (batch.to(device) for batch in images))
