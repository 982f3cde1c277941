"""Base of all change networks: scaling and padding of both dates, change and auxiliary maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.change.nets.config import ChangeConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.sensorset import SensorSet, sensor_layers, use_sensor

M = TypeVar("M", bound=nn.Module)

DATES = ("before", "after")
"""Names of the dates, under which layers of a network of unequal dates keep their own statistics."""


class ChangeMaps(NamedTuple):
    """Maps that the change label supervises.

    Attributes:
        change: Logits of the change map, (B, 1, H, W), for a sigmoid.
        auxiliary: Logits of further maps, (B, 1, H // 2, W // 2) each; none in networks without them.
    """

    change: Tensor
    auxiliary: tuple[Tensor, ...] = ()


class ChangeNetwork(nn.Module, ABC):
    """A network from two uint8 images of the same ground to logits of change.

    Inputs are (B, C, H, W) in uint8 units, uint8 or floating, with the bands that the configuration names;
    any H and W, the same for both. Each is normalised with its own date's statistics, on the device, and
    padded with no data to a multiple of :attr:`stride`. Pixels without data (0 in every band) take part at
    that value.

    Dates of one modality share all layers. Those of different modalities have a first convolution each, and
    statistics of their own in every normalisation that works on one date (CSN, as between sensors).

    Args:
        config: Configuration that rebuilds the network.

    Attributes:
        stride: Least common multiple of the sides that the network takes.
        config: As given; the threshold is replaced after training.
        metadata: JSON values stored beside the weights (training, provenance); empty when new.
        date_set: Both dates, as layers that keep something per date know them.
    """

    stride: ClassVar[int]

    def __init__(self, config: ChangeConfig) -> None:
        super().__init__()
        self.config = config
        self.metadata: dict[str, Any] = {}
        self.date_set = SensorSet(DATES)
        for name, date in zip(DATES, config.dates, strict=True):
            # Not persistent: the configuration is the one place that says how input is scaled.
            shape = (1, len(date.bands), 1, 1)
            self.register_buffer(f"{name}_mean", torch.tensor(date.mean).reshape(shape), persistent=False)
            self.register_buffer(f"{name}_std", torch.tensor(date.std).reshape(shape), persistent=False)

    @abstractmethod
    def maps(self, before: Tensor, after: Tensor) -> ChangeMaps:
        """Return all maps of two normalised, padded images, (B, C, H, W) with H and W multiples of stride."""

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits of change, (B, 1, H, W), for images in uint8 units."""
        return self.supervised(before, after).change

    def supervised(self, before: Tensor, after: Tensor, swapped: Tensor | None = None) -> ChangeMaps:
        """Return all maps that the label supervises.

        Args:
            before: Image of the first date, (B, C, H, W) in uint8 units.
            after: Image of the second date, of the same height and width.
            swapped: Crops whose dates change places once they are normalised, (B,) bool; None for no crop.
                Only for dates with the same bands. SGSLN normalises before it swaps.

        Raises:
            ValueError: If the images are of unequal size.
        """
        if before.shape[-2:] != after.shape[-2:]:
            raise ValueError(f"images of {tuple(before.shape[-2:])} and {tuple(after.shape[-2:])} pixels")
        height, width = before.shape[-2:]
        first, second = self.normalise(before, 0), self.normalise(after, 1)
        if swapped is not None:
            places = swapped.view(-1, 1, 1, 1)
            first, second = torch.where(places, second, first), torch.where(places, first, second)
        maps = self.maps(first, second)
        return ChangeMaps(
            maps.change[..., :height, :width],
            tuple(drawn[..., : height // 2, : width // 2] for drawn in maps.auxiliary),
        )

    def normalise(self, image: Tensor, date: int) -> Tensor:
        """Return an image in uint8 units, normalised with the statistics of date 0 or 1, and padded."""
        mean, std = (self.get_buffer(f"{DATES[date]}_{name}") for name in ("mean", "std"))
        values = image.to(mean.dtype)
        bottom, right = -image.shape[-2] % self.stride, -image.shape[-1] % self.stride
        if bottom or right:
            values = F.pad(values, (0, right, 0, bottom))
        return (values - mean) / std

    def separate(self, module: M) -> M:
        """Give the normalisations of ``module`` statistics per date where dates differ; return the module.

        It may then be called only within :meth:`as_date`.
        """
        if not self.config.same_kind:
            convert_to_csn(module, DATES)
            for layer in sensor_layers(module):
                layer.extend(self.date_set)
        return module

    def as_date(self, date: int) -> AbstractContextManager[None]:
        """Let the layers that keep something per date work for date 0 or 1 within the block."""
        return use_sensor(self, DATES[date])

    @torch.inference_mode()
    def predict(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits of change, (B, 1, H, W), in evaluation mode; the mode is put back."""
        training = self.training
        self.eval()
        try:
            logits: Tensor = self(before, after)
            return logits
        finally:
            self.train(training)
