"""Scores of a change network on the validation tiles, while and after it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.pair import Pixels
from components.lib.change.terms import CHANGED, UNKNOWN
from components.lib.engine.batch import to_batch
from components.lib.engine.ranks import ranks
from components.lib.losses.reduction import global_sum
from components.lib.losses.segmentation import data_mask
from components.lib.metrics.counts import f1
from components.lib.metrics.probabilities import ProbabilityHistogram


@dataclass(frozen=True, eq=False)
class Validation:
    """Tiles of both dates and their labels.

    Pixels that are ``UNKNOWN``, or without data in either image, count in no score.

    Attributes:
        before: Images of the first date, (N, H, W, C) uint8.
        after: Images of the second date, likewise.
        label: (N, H, W, 1).
        rows: Rows to score.
        pixels: Pixels of a date that the network may be given at once; at least one tile is.
    """

    before: Pixels
    after: Pixels
    label: Pixels
    rows: npt.NDArray[np.int64]
    pixels: int

    def predictions(
        self, net: ChangeNetwork, rows: npt.NDArray[np.int64] | None = None
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield logits, truth and known pixels of some tiles at a time, (b, H, W) float32, bool, bool.

        Args:
            net: The network, on any device, where the results are.
            rows: Rows to predict; None for all.
        """
        device = next(net.parameters()).device
        chosen = self.rows if rows is None else rows
        size = max(1, self.pixels // (self.label.shape[1] * self.label.shape[2]))
        for first in range(0, len(chosen), size):
            part = chosen[first : first + size]
            tiles: dict[str, np.ndarray[Any, Any]] = {
                name: np.ascontiguousarray(layer[part])
                for name, layer in (("before", self.before), ("after", self.after), ("label", self.label))
            }
            batch = to_batch(tiles, device)
            label = batch["label"][:, 0]
            known = (label != UNKNOWN) & data_mask(batch["before"]) & data_mask(batch["after"])
            logits = net.predict(batch["before"], batch["after"])
            yield logits[:, 0].float(), label == CHANGED, known

    def f1(self, net: ChangeNetwork) -> float:
        """Return the F1 of changed pixels at probability one half, from sums over all tiles.

        Processes of a torchrun share the tiles and get the same value; all of them have to call this.
        """
        group = ranks()
        counts = torch.zeros(3, dtype=torch.float64, device=next(net.parameters()).device)
        for logits, truth, known in self.predictions(net, self.rows[group.rank :: group.world]):
            found, changed = (logits > 0) & known, truth & known
            hits = (found & changed).sum()
            counts += torch.stack([hits, found.sum() - hits, changed.sum() - hits])
        return float(f1(*global_sum(counts).tolist()))

    def histogram(self, net: ChangeNetwork) -> ProbabilityHistogram:
        """Return the known pixels by probability of change and truth."""
        total = ProbabilityHistogram.empty()
        for logits, truth, known in self.predictions(net):
            total += ProbabilityHistogram.of(
                logits.sigmoid().cpu().numpy(), truth.cpu().numpy(), known.cpu().numpy()
            )
        return total
