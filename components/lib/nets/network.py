"""Base of all segmentation networks: scaling of input, sensors, deployed and supervised maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.contract.errors import ParameterError
from components.lib.nets.config import NetworkConfig
from components.lib.nets.sensorinput import SensorInput
from components.lib.nets.sensorset import use_sensor

SIDE_MULTIPLE = 32
"""Inputs are padded to multiples of this: 900 pixels become 928 (DisOptNet)."""


class Maps(NamedTuple):
    """Output of a network for an image.

    Attributes:
        logits: Logits of the deployed class map, (B, classes, H, W), for a softmax.
        contours: Logits of the task's ``LABELS``, (B, 3, H, W), each for a sigmoid; None without that head.
    """

    logits: Tensor
    contours: Tensor | None


class Supervised(NamedTuple):
    """Maps that labels supervise.

    Attributes:
        logits: Every class map, the deployed one included, (B, classes, H, W) each.
        contours: Logits of the task's ``LABELS`` beside these maps, (B, 3, H, W) each; none without heads.
    """

    logits: tuple[Tensor, ...]
    contours: tuple[Tensor, ...]


class SegmentationNetwork(nn.Module, ABC):
    """A network from uint8 pixels to logits that knows its input's scaling and its sensors.

    Input is (B, C, H, W) in uint8 units, uint8 or floating (resized tiles), any H and W. It is normalised
    inside, on the device, as ``(x - input_mean) / input_std``. No-data pixels (0 in every band) take part at
    that affine value, just below the darkest valid pixel, as in the reference: zeroing them would place them
    at mid-grey, among buildings.

    Attributes:
        config: Configuration that rebuilds the network.
        metadata: JSON values stored beside the weights (training, provenance); empty when new.
        dropped_parameters: Never-used encoder parameters that were deleted and that the reference counts.
    """

    input_mean: Tensor
    input_std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.metadata: dict[str, Any] = {}
        self.dropped_parameters = 0
        self.sensor_input: SensorInput | None = None
        shape = (1, config.in_channels, 1, 1)
        # Not persistent: the configuration is the one place that says how input is scaled.
        self.register_buffer("input_mean", torch.tensor(config.input_mean).reshape(shape), persistent=False)
        self.register_buffer("input_std", torch.tensor(config.input_std).reshape(shape), persistent=False)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of the deployed map for ``x`` (B, C, H, W) in uint8 units."""

    @abstractmethod
    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, classes, H, W) of every map that ground truth supervises, the deployed one included."""

    def forward_maps(self, x: Tensor) -> Maps:
        """Return the deployed class map and, where the network has that head, the contours."""
        return Maps(self(x), None)

    def supervised(self, x: Tensor) -> Supervised:
        """Return all maps that labels supervise, for ``x`` (B, C, H, W) in uint8 units."""
        return Supervised(self.supervised_maps(x), ())

    def normalise(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, C, H, W) in uint8 units, normalised and padded below and right with no-data."""
        height, width = x.shape[-2:]
        bottom, right = -height % SIDE_MULTIPLE, -width % SIDE_MULTIPLE
        values = x.to(self.input_mean.dtype)
        if self.sensor_input is not None:
            values = self.sensor_input(values)
        if bottom or right:
            values = F.pad(values, (0, right, 0, bottom))
        return (values - self.input_mean) / self.input_std

    def predict(self, x: Tensor, sensor: str) -> Tensor:
        """Logits (B, classes, H, W) of the deployed map; as :meth:`predict_maps`."""
        return self.predict_maps(x, sensor).logits

    @torch.inference_mode()
    def predict_maps(self, x: Tensor, sensor: str) -> Maps:
        """Return the deployed maps in evaluation mode, for ``sensor``.

        To see how a network does on a sensor it was never adapted to, name one that it knows
        (``config.sensors[0]``): the choice is then the caller's and visible.

        Raises:
            ParameterError: If the network carries no statistics for ``sensor``.
        """
        self.require_sensor(sensor)
        training = self.training
        self.eval()
        try:
            with use_sensor(self, sensor):
                return self.forward_maps(x)
        finally:
            self.train(training)

    def require_sensor(self, sensor: str) -> None:
        """Check that the network carries statistics for ``sensor``.

        Raises:
            ParameterError: If not, naming the sensors it knows.
        """
        if sensor not in self.config.sensors:
            raise ParameterError(
                f"this network has no normalisation for sensor {sensor!r}; it knows "
                f"{', '.join(self.config.sensors)}",
                next_step="adapt the network to that sensor (`dvc repro adapt`), or name a sensor it knows",
            )


def crop_to(logits: Tensor, x: Tensor) -> Tensor:
    """Return ``logits`` without the rows and columns that padding added to ``x``."""
    return logits[..., : x.shape[-2], : x.shape[-1]]
