"""Training on the masks of stage `osm` (docs/methods/osm.md), whose ``IGNORE`` counts in no loss."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from components.contract.errors import BadDataError
from components.lib.engine.batch import Batch
from components.lib.engine.supervised import SupervisedTask, with_total
from components.lib.engine.task import TrainingTask
from components.lib.losses.segmentation import IGNORE, ignore_nodata
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.osm.store import read_masks
from components.lib.osm.terms import IGNORE as UNKNOWN
from components.lib.osm.terms import OBJECT
from components.lib.store.layer import StoredLayer
from components.lib.store.store import Store

LAYER = "osm"
"""Name of the masks among the layers of a store."""


class StoreWithMasks(Store):
    """A prepared store whose layer ``osm`` are the masks of one task.

    Args:
        store: The prepared store.
        masks: Folder of the masks, as stage `osm` leaves it.
    """

    def __init__(self, store: Store, masks: Path) -> None:
        super().__init__(store.folder, store.index, store.partitions)
        self._masks = masks

    def layer(self, sensor: str, layer: str) -> StoredLayer:
        """Return a layer of the store, or the masks, (N, H, W, 1) uint8.

        Raises:
            BadDataError: If the masks are of other tiles than the store's.
            MissingInputError, ParameterError: As of the store.
        """
        if layer != LAYER:
            return super().layer(sensor, layer)
        found, wanted = read_masks(self._masks, sensor), super().layer(sensor, "target").shape
        if found.shape != wanted:
            raise BadDataError(
                f"{self._masks} has masks {found.shape} of {sensor}, and {self.folder} tiles {wanted}",
                next_step="run `dvc repro osm` to draw them for this store",
            )
        return found


class MaskTask(TrainingTask):
    """Losses of an optical network's class map against masks of OpenStreetMap.

    Masks know no edges and no contacts: the contour head keeps its weights.

    Args:
        supervised: Network and losses of its class map.
    """

    masks: ClassVar[tuple[str, ...]] = ()
    classes: ClassVar[tuple[str, ...]] = (LAYER,)

    def __init__(self, supervised: SupervisedTask) -> None:
        super().__init__()
        self.supervised = supervised
        net = supervised.net
        if isinstance(net, SingleMapNetwork) and net.contour_head is not None:
            net.contour_head.requires_grad_(requires_grad=False)

    def losses(self, batch: Batch) -> Batch:
        """Return ``loss`` and the terms of the class map."""
        image, mask = batch["optical"], batch[LAYER][:, 0]
        classes = ignore_nodata(mask_classes(mask), image)
        return with_total(self.supervised.class_terms(self.supervised.net(image), classes))


def mask_classes(mask: Tensor) -> Tensor:
    """Return classes 0 and 1, and ``IGNORE`` where nothing is known, of a mask (B, H, W) uint8."""
    return torch.where(mask == UNKNOWN, IGNORE, (mask == OBJECT).to(mask.dtype))


class LowestLossTask(MaskTask):
    """The same, keeping the weights at the end of the epoch with the lowest mean training loss.

    Sums and kept weights are buffers, so that a resumed run keeps the same ones. On several processes the
    first one's own losses decide.

    Args:
        supervised: Network and losses of its class map.
        epoch_steps: Steps of an epoch.
    """

    lowest: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, supervised: SupervisedTask, epoch_steps: int) -> None:
        super().__init__(supervised)
        self._epoch_steps = epoch_steps
        self.register_buffer("lowest", torch.tensor(float("inf")))
        self.register_buffer("total", torch.tensor(0.0))
        self.register_buffer("count", torch.tensor(0.0))
        self._size = len(supervised.net.state_dict())
        for number, tensor in enumerate(supervised.net.state_dict().values()):
            self.register_buffer(f"kept_{number}", tensor.detach().clone())

    def losses(self, batch: Batch) -> Batch:
        """Return the losses, and add the total to the epoch's."""
        found = super().losses(batch)
        self.total += found["loss"].detach()
        self.count += 1
        return found

    def before_step(self, step: int) -> None:
        """Close an epoch where one ends."""
        if step and step % self._epoch_steps == 0:
            self.close_epoch()

    @torch.no_grad()
    def close_epoch(self) -> None:
        """Keep the weights if the epoch's mean loss is the lowest so far; begin another epoch."""
        mean = self.total / self.count
        if mean < self.lowest:
            self.lowest.copy_(mean)
            for number, tensor in enumerate(self.supervised.net.state_dict().values()):
                self.get_buffer(f"kept_{number}").copy_(tensor)
        self.total.zero_()
        self.count.zero_()

    @torch.no_grad()
    def restore(self) -> float:
        """Close the last epoch, give the network the kept weights, and return their epoch's mean loss."""
        if self.count > 0:
            self.close_epoch()
        for number, tensor in enumerate(self.supervised.net.state_dict().values()):
            tensor.copy_(self.get_buffer(f"kept_{number}"))
        return float(self.lowest)
