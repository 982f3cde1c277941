"""Augmentation of crops of pairs, drawn from seed and step: geometry, noise and order of the dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from components.lib.change.nets.config import ChangeConfig
from components.lib.change.terms import UNKNOWN
from components.lib.change.training.geometry import draw_places, moved
from components.lib.change.training.noise import draw_noise, noisy
from components.lib.engine.batch import Batch
from components.lib.losses.segmentation import data_mask
from components.lib.store.sampler import keyed_generator

SWAP = 0.5
"""Probability that the dates of a crop change places."""

_STREAM = 2**63


@dataclass(frozen=True)
class Augmentation:
    """Changes of the crops of each step, in the order of SGSLN's code: geometry, noise, swap of the dates.

    The draws are made on the host and travel with the crops; :meth:`apply` runs on the training device. Each
    process of several takes the draws of its own crops.

    Attributes:
        config: Configuration of the network, for the modalities.
        noise: Probability of noise.
        seed: Seed of the whole sequence, 0 to 2^64 - 1.
    """

    config: ChangeConfig
    noise: float
    seed: int

    def draw(self, step: int, count: int) -> dict[str, np.ndarray[Any, Any]]:
        """Return the draws of the ``count`` crops of a step: ``places``, ``levels``, ..., and ``swapped``."""
        # The crops' kind of generator, beyond the counters that they use.
        random = keyed_generator(self.seed, _STREAM + step)
        optical = all(date.modality == "optical" for date in self.config.dates)
        drawn: dict[str, np.ndarray[Any, Any]] = {"places": draw_places(random, count, turns=optical)}
        swapped = random.random(count) < SWAP
        if self.config.same_kind:
            drawn["swapped"] = swapped
        if self.noise > 0:
            drawn |= draw_noise(random, count, self.noise)
        return drawn

    def apply(self, batch: Batch) -> Batch:
        """Return ``before``, ``after`` and ``label`` of a batch after geometry and noise, and ``swapped``.

        The swap is left to the network, which normalises each date with its own statistics first
        (:meth:`components.lib.change.nets.network.ChangeNetwork.supervised`). Where either date has no data,
        the label is ``UNKNOWN`` (ours).
        """
        with torch.no_grad(), torch.autocast(batch["label"].device.type, enabled=False):
            images, label = [batch["before"], batch["after"]], batch["label"]
            if "places" in batch:
                images = [moved(image, batch["places"], code=False) for image in images]
                label = moved(label, batch["places"], code=True)
            for image in images:
                label = torch.where(data_mask(image).unsqueeze(1), label, UNKNOWN)
            if "levels" in batch:
                images = [
                    noisy(image, batch, colour=date.modality == "optical")
                    for image, date in zip(images, self.config.dates, strict=True)
                ]
        changed = {"before": images[0], "after": images[1], "label": label}
        return changed | ({"swapped": batch["swapped"]} if "swapped" in batch else {})
