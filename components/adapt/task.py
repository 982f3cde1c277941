"""Losses of adaptation: the source with its labels, the target with pseudo-labels (reference 1.6)."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from components.adapt.labels import LabelFolder
from components.adapt.rounds import round_of
from components.lib.engine import TrainingTask
from components.lib.losses import IGNORE, cross_entropy, segmentation_loss
from components.lib.nets import SegmentationNetwork, copy_sensor, reestimate_statistics, use_sensor

LOG = logging.getLogger(__name__)


class AdaptationTask(TrainingTask):
    """``loss = source + target_weight * target`` on every map that ground truth supervises.

    Source: Dice + cross-entropy with the labels; it keeps what the network knows. Target: cross-entropy with
    the round's pseudo-labels, ignored pixels left out. One forward per sensor: CSN's batches hold one sensor.

    Args:
        net: Sensor-specific, knowing both sensors.
        source: Sensor with labels.
        labels: Makes and keeps the target's pseudo-labels.
        starts: First step of each round.
        target_weight: Weight of the target's loss.
        reestimate: Whether the target's statistics are taken from its own images before the first round,
            instead of being copies of the source's.
    """

    labels_round: Tensor
    labels_digest: Tensor

    def __init__(
        self,
        net: SegmentationNetwork,
        *,
        source: str,
        labels: LabelFolder,
        starts: list[int],
        target_weight: float,
        reestimate: bool = True,
    ) -> None:
        super().__init__()
        self.net, self.source, self.target = net, source, labels.sensor
        self.label_folder, self.starts, self.target_weight = labels, starts, target_weight
        self.reestimate = reestimate
        self._labels: Tensor | None = None
        # In the checkpoint: which labels an interrupted run trained on.
        self.register_buffer("labels_round", torch.tensor(-1))
        self.register_buffer("labels_digest", torch.zeros(32, dtype=torch.uint8))

    def before_step(self, step: int) -> None:
        """Make the pseudo-labels at the first step of a round; find them again in a resumed run."""
        current, known = round_of(step, self.starts), int(self.labels_round)
        if current < 0:
            return
        device = self.labels_round.device
        if current != known:
            if current == 0:
                self._begin(device)
            digest = self.label_folder.make(current, self.net, device)
            self.labels_round.fill_(current)
            self.labels_digest.copy_(torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8))
            self._labels = None
        if self._labels is None:
            digest = bytes(self.labels_digest.tolist()).hex()
            self._labels = self.label_folder.open(current, digest).to(device)

    def _begin(self, device: torch.device) -> None:
        """The target's statistics as self-training begins."""
        copy_sensor(self.net, source=self.source, target=self.target)
        if self.reestimate:
            images = (batch.to(device) for batch in self.label_folder.images())
            reestimate_statistics(self.net, self.target, images)

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Losses of one batch of :class:`~components.adapt.batches.AdaptationBatches`."""
        footprints = batch["source_target"][:, 0]
        with use_sensor(self.net, self.source):
            maps = self.net.supervised_maps(batch["source_sar"])
        source = torch.stack([segmentation_loss(z, footprints) for z in maps]).sum()
        target = torch.zeros_like(source)
        if "target_sar" in batch:
            labels = self._crops(batch["target_windows"], batch["target_sar"].shape[-1])
            with use_sensor(self.net, self.target):
                maps = self.net.supervised_maps(batch["target_sar"])
            target = torch.stack([cross_entropy(z, labels, ignore_index=IGNORE) for z in maps]).sum()
        return {"loss": source + self.target_weight * target, "source": source, "target": target}

    def _crops(self, windows: Tensor, side: int) -> Tensor:
        """Pseudo-labels (B, side, side) where the crops were cut, in one gather on the labels' device."""
        if self._labels is None:
            raise RuntimeError("before_step was not called: there are no pseudo-labels yet")
        tile, y, x, flip = windows.unbind(dim=1)
        along = torch.arange(side, device=windows.device)
        rows = y[:, None, None] + along[:, None]
        mirrored = torch.where(flip[:, None].bool(), side - 1 - along, along)
        columns = x[:, None, None] + mirrored[:, None, :]
        return self._labels[tile[:, None, None], rows, columns]
