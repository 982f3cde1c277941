"""One stem per sensor before shared layers (docs/methods/adaptation.md#from-one-radar-to-another).

Four optical bands and four polarisations do not mean the same thing, so a first convolution shared by both
mixes what it should not. Everything behind it is shared; its normalisation is the sensors' own (CSN).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from components.contract.errors import ParameterError
from components.lib.nets.sensorset import SensorLayer, SensorSet

_PROBE_PX = 64


class SensorStem(SensorLayer):
    """An encoder's first convolution, once per sensor; all start equal.

    The convolutions of the sensors that a step does not use get no gradient of their own
    (:func:`no_gradient_missing`).

    Args:
        convolution: The one to take over; it becomes the first sensor's.
        sensors: Shared by all layers of the network.
    """

    def __init__(self, convolution: nn.Conv2d, sensors: SensorSet) -> None:
        super().__init__()
        self.sensors = sensors
        copies = [deepcopy(convolution) for _ in sensors.names[1:]]
        self.convolutions = nn.ModuleList([convolution, *copies])

    def forward(self, x: Tensor) -> Tensor:
        """Return the chosen sensor's convolution of ``x`` (B, C, H, W)."""
        features: Tensor = self.convolutions[self.sensors.active_index()](x)
        return features

    @torch.no_grad()
    def copy_sensor(self, source: int, target: int) -> None:
        """Overwrite the kernel of sensor ``target`` with that of ``source`` (positions)."""
        self.convolutions[target].load_state_dict(self.convolutions[source].state_dict())

    def extend(self, sensors: SensorSet) -> None:
        """Know ``sensors``, a superset; the new ones start from the first known sensor's kernel."""
        known = dict(zip(self.sensors.names, self.convolutions, strict=True))
        first = self.convolutions[0]
        self.convolutions = nn.ModuleList(
            known[name] if name in known else deepcopy(first) for name in sensors.names
        )
        self.sensors = sensors


def split_stem(encoder: nn.Module, bands: int, sensors: SensorSet) -> None:
    """Replace, in place, every convolution of ``encoder`` that reads the image by one per sensor.

    Which ones do is observed, not listed: a probe goes through the encoder once. Most have one; MobileOne's
    stem has parallel branches.

    Raises:
        ParameterError: If no convolution reads the image directly.
    """
    names = first_convolutions(encoder, bands)
    if not names:
        raise ParameterError(
            "the encoder has no first convolution that could be given to each sensor",
            next_step="choose another training.encoder, or stems: shared",
        )
    for name in names:
        parent, _, attribute = name.rpartition(".")
        convolution = encoder.get_submodule(name)
        assert isinstance(convolution, nn.Conv2d)
        setattr(encoder.get_submodule(parent), attribute, SensorStem(convolution, sensors))


def no_gradient_missing(net: nn.Module) -> Tensor | float:
    """Return a zero that depends on every stem of ``net``: in a loss, it gives unused ones a gradient of 0.

    Fused optimisers fail where a parameter first has no gradient and later one, and DDP waits for it.
    """
    stems = [layer for layer in net.modules() if isinstance(layer, SensorStem)]
    parameters = [parameter for stem in stems for parameter in stem.parameters()]
    return torch.stack([0.0 * p.sum() for p in parameters]).sum() if parameters else 0.0


@torch.no_grad()
def first_convolutions(encoder: nn.Module, bands: int) -> list[str]:
    """Return the names of the convolutions of ``encoder`` that read the image of ``bands`` bands."""
    probe = torch.linspace(-1, 1, bands * _PROBE_PX**2).reshape(1, bands, _PROBE_PX, _PROBE_PX)
    found: list[str] = []
    modes: Mapping[nn.Module, bool] = {module: module.training for module in encoder.modules()}
    encoder.eval()
    try:
        with ExitStack() as hooks:
            for name, module in encoder.named_modules():
                if isinstance(module, nn.Conv2d):

                    def note(_: nn.Module, inputs: tuple[Any, ...], name: str = name) -> None:
                        if inputs[0].shape == probe.shape and torch.equal(inputs[0], probe):
                            found.append(name)

                    hooks.callback(module.register_forward_pre_hook(note).remove)
            encoder(probe)
    finally:
        for module, mode in modes.items():
            module.training = mode
    return found
