"""Cross-sensor normalisation (CSN): batch statistics per sensor, scale and shift shared.

From LoveCS (Wang et al., RSE 2022; docs/methods/adaptation.md#sensor-specific-normalisation-csn). In
training, a batch (of one sensor) is normalised with its own mean and variance and moves only that sensor's
running statistics; in evaluation the chosen sensor's are used. The choice is made with
:func:`~components.lib.nets.sensorset.use_sensor`.

Tied statistics are the ablation: ordinary batch normalisation, one set for all sensors, of a network that
nevertheless knows which sensors it serves and refuses the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.contract.errors import ParameterError
from components.lib.nets.sensorinput import SensorInput
from components.lib.nets.sensorset import SensorLayer, SensorSet, sensor_layers, use_sensor
from components.lib.nets.stems import split_stem

REFERENCE_MOMENTUM = 0.1
"""Share of the new batch in the running statistics: about 50 batches make them a sensor's own."""


class SensorNorm2d(SensorLayer):
    """Batch normalisation of (N, C, H, W) with running statistics per sensor and one affine pair.

    Args:
        norm: The layer to take over: its affine parameters, eps, and statistics (copied for every sensor).
        sensors: Shared by all layers of the network.
        momentum: Share of a new batch in the running statistics; None keeps that of ``norm``.
        tied: Keep one set of statistics, which every sensor moves and uses.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, norm: nn.BatchNorm2d, sensors: SensorSet, momentum: float | None = None, *, tied: bool = False
    ) -> None:
        super().__init__()
        if norm.running_mean is None or norm.running_var is None:
            raise ParameterError(
                "a normalisation layer without running statistics cannot be made sensor-specific",
                next_step="choose an encoder with ordinary batch normalisation",
            )
        self.sensors, self.tied = sensors, tied
        self.eps = norm.eps
        self.momentum = momentum or norm.momentum or REFERENCE_MOMENTUM
        self.weight, self.bias = norm.weight, norm.bias
        count = 1 if tied else len(sensors.names)
        self.register_buffer("running_mean", norm.running_mean.detach().repeat(count, 1))
        self.register_buffer("running_var", norm.running_var.detach().repeat(count, 1))
        # timm's layer carries the activation that follows; a subclass of batch normalisation, not a wrapper.
        self.drop = getattr(norm, "drop", None)
        self.act = getattr(norm, "act", None)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch of one sensor, (N, C, H, W)."""
        chosen = self.sensors.active_index()
        index = 0 if self.tied else chosen
        x = F.batch_norm(
            x,
            self.running_mean[index],
            self.running_var[index],
            self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )
        for follower in (self.drop, self.act):
            if follower is not None:
                x = follower(x)
        return x

    @torch.no_grad()
    def copy_sensor(self, source: int, target: int) -> None:
        """Overwrite the statistics of sensor ``target`` with those of ``source`` (positions)."""
        if self.tied:
            return
        self.running_mean[target] = self.running_mean[source]
        self.running_var[target] = self.running_var[source]

    @torch.no_grad()
    def extend(self, sensors: SensorSet) -> None:
        """Know ``sensors``, a superset; the new ones start from the first sensor's statistics."""
        if not self.tied:
            rows = [self.sensors.names.index(n) if n in self.sensors.names else 0 for n in sensors.names]
            self.running_mean = self.running_mean[rows].clone()
            self.running_var = self.running_var[rows].clone()
        self.sensors = sensors


M = TypeVar("M", bound=nn.Module)


def convert_to_csn(net: M, sensors: Sequence[str], *, momentum: float | None = None, tied: bool = False) -> M:
    """Replace every batch normalisation of ``net``, in place, by a sensor-specific one.

    A network that already is sensor-specific learns the new names: what it keeps for them starts as copies of
    the first sensor's. A ``SegmentationNetwork``'s ``config`` is brought up to date, and where it says
    ``stems: per_sensor`` the first convolution of ``net.encoder`` is given to each sensor as well, and where
    it says ``inputs: per_sensor`` their pixels' scale.

    Args:
        net: The network.
        sensors: All sensors it shall know; those it knows already must be among them.
        momentum: As for :class:`SensorNorm2d`, for newly converted layers.
        tied: Likewise.

    Returns:
        ``net`` itself.

    Raises:
        ParameterError: If names repeat, a known sensor is missing, or there is nothing to convert.
    """
    chosen = SensorSet(sensors)
    layers = sensor_layers(net)
    for layer in layers:
        missing = set(layer.sensors.names) - set(chosen.names)
        if missing:
            raise ParameterError(
                f"the network already knows {', '.join(sorted(missing))}, which would be lost",
                next_step="name every sensor that the network knows, and the new one",
            )
    for layer in layers:
        layer.extend(chosen)
    config = getattr(net, "config", None)
    if not layers and getattr(config, "stems", "shared") == "per_sensor":
        own: Any = net
        split_stem(own.encoder, own.config.in_channels, chosen)
    if not layers and getattr(config, "inputs", "shared") == "per_sensor":
        reader: Any = net
        reader.sensor_input = SensorInput(reader.config.in_channels, chosen)
    if _replace(net, chosen, momentum, tied) + len(layers) == 0:
        raise ParameterError(
            "the network has no batch normalisation to make sensor-specific",
            next_step="choose an encoder with batch normalisation",
        )
    if config is not None and hasattr(config, "sensor_specific"):
        update: dict[str, Any] = {"sensors": chosen.names, "sensor_specific": True}
        if not layers:
            update |= {"norm_momentum": momentum, "normalisation": "shared" if tied else "per_sensor"}
        net.config = config.model_copy(update=update)
    return net


def copy_sensor(net: nn.Module, *, source: str, target: str) -> None:
    """Start all that is ``target``'s own from ``source``'s, as when self-training begins.

    These are the normalisation statistics and, where there is one per sensor, the stem: during the warm-up
    only the source's has learnt.
    """
    for layer in sensor_layers(net):
        layer.copy_sensor(layer.sensors.index(source), layer.sensors.index(target))


@torch.no_grad()
def reestimate_statistics(net: nn.Module, sensor: str, batches: Iterable[Tensor]) -> None:
    """Set ``sensor``'s statistics to the average over ``batches`` of its images; no labels, no weights moved.

    Adaptive batch normalisation (Li et al., 2016). Dropout and drop-connect are off meanwhile, so that the
    statistics are those of the network as it is evaluated.

    Args:
        net: Sensor-specific.
        sensor: One it knows.
        batches: Inputs (B, C, H, W) of that sensor alone, on the network's device.

    Raises:
        ParameterError: If the sensors share their statistics: the others would lose theirs.
    """
    layers = [m for m in net.modules() if isinstance(m, SensorNorm2d)]
    if any(layer.tied and len(layer.sensors.names) > 1 for layer in layers):
        raise ParameterError(
            f"statistics shared with other sensors cannot be set from {sensor} alone",
            next_step="adapt with normalisation: per_sensor",
        )
    modes = [(m, m.training) for m in net.modules()]
    momenta = [layer.momentum for layer in layers]
    net.eval()
    try:
        for layer in layers:
            layer.training = True
        with use_sensor(net, sensor):
            for number, batch in enumerate(batches, start=1):
                for layer in layers:
                    # A running mean over all batches so far, the old statistics weighing nothing.
                    layer.momentum = 1 / number
                net(batch)
    finally:
        for module, training in modes:
            module.training = training
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def _replace(module: nn.Module, sensors: SensorSet, momentum: float | None, tied: bool) -> int:
    replaced = 0
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            norm = SensorNorm2d(child, sensors, momentum, tied=tied)
            norm.train(child.training)
            setattr(module, name, norm)
            replaced += 1
        else:
            replaced += _replace(child, sensors, momentum, tied)
    return replaced
