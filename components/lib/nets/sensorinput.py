"""Each sensor's pixels on the scale of the first one's, before anything is learnt from them.

Two radars differ in gain and offset per band. Statistics per sensor behind the first convolution cannot undo
that band by band; two numbers per band can, and they need images alone, no labels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from components.lib.nets.sensorset import SensorLayer, SensorSet


class SensorInput(SensorLayer):
    """Linear map ``gain * x + offset`` per band with the chosen sensor's values; 1 and 0 until they are set.

    Args:
        bands: Input bands.
        sensors: Shared by all layers of the network.
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, bands: int, sensors: SensorSet) -> None:
        super().__init__()
        self.sensors = sensors
        self.register_buffer("gain", torch.ones(len(sensors.names), bands))
        self.register_buffer("offset", torch.zeros(len(sensors.names), bands))

    def forward(self, x: Tensor) -> Tensor:
        """Return floating pixels (B, C, H, W); those without data (0 in every band) stay so."""
        index = self.sensors.active_index()
        scaled = x * self.gain[index].view(1, -1, 1, 1) + self.offset[index].view(1, -1, 1, 1)
        return torch.where((x != 0).any(dim=1, keepdim=True), scaled.clamp(1, 255), 0.0)

    @torch.no_grad()
    def match(self, sensor: str, own: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> None:
        """Give ``sensor``'s pixels the moments ``wanted``.

        Args:
            sensor: One of the sensors.
            own: Mean and standard deviation of its pixels with data, (C,) each.
            wanted: The same of the sensor whose pixels the network has learnt from.
        """
        index = self.sensors.index(sensor)
        gain = wanted[1] / own[1].clamp_min(1e-3)
        self.gain[index] = gain
        self.offset[index] = wanted[0] - gain * own[0]

    def copy_sensor(self, source: int, target: int) -> None:
        """Do nothing: the scale of a sensor's pixels is its own from the start, and not learnt."""

    @torch.no_grad()
    def extend(self, sensors: SensorSet) -> None:
        """Know ``sensors``, a superset; the new ones' pixels are taken as they are."""
        gain, offset = torch.ones_like(self.gain[:1]), torch.zeros_like(self.offset[:1])
        known = self.sensors.names
        places = [known.index(name) if name in known else None for name in sensors.names]
        self.gain = torch.cat([gain if p is None else self.gain[p : p + 1] for p in places])
        self.offset = torch.cat([offset if p is None else self.offset[p : p + 1] for p in places])
        self.sensors = sensors
