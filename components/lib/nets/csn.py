"""Cross-sensor normalisation (CSN): batch statistics per sensor, scale and shift shared.

Reference adaptation 1.5. In training, a batch (of one sensor) is normalised with its own mean and variance
and moves only that sensor's running statistics; in evaluation the chosen sensor's are used. The choice is
made with a context manager that leaves nothing behind, so no network can be exported in "the wrong mode".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.errors import ParameterError

REFERENCE_MOMENTUM = 0.1
"""Share of the new batch in the running statistics: about 50 batches make them a sensor's own."""


class SensorSet:
    """The sensors that all normalisation layers of one network know, in the order of their statistics."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        if not self.names or len(set(self.names)) != len(self.names):
            raise ParameterError(
                f"sensors {self.names!r} must be distinct and at least one", next_step="name each sensor once"
            )

    def index(self, name: str) -> int:
        """Position of ``name``.

        Raises:
            ParameterError: If it is not among the names.
        """
        if name not in self.names:
            raise ParameterError(
                f"no normalisation statistics for sensor {name!r}; known: {', '.join(self.names)}",
                next_step="adapt the network to that sensor first, or name a known one",
            )
        return self.names.index(name)

    def active_index(self) -> int:
        """Position of the sensor chosen by the enclosing :func:`use_sensor`; a lone sensor needs no choice.

        Raises:
            ParameterError: If several are known and none was chosen.
        """
        chosen = _ACTIVE.get().get(self)
        if chosen is not None:
            return chosen
        if len(self.names) == 1:
            return 0
        raise ParameterError(
            f"which sensor is this batch from? The network knows {', '.join(self.names)}",
            next_step="run it inside `with use_sensor(network, name):` or call `network.predict(x, name)`",
        )


_ACTIVE: ContextVar[Mapping[SensorSet, int]] = ContextVar("active_sensors", default=MappingProxyType({}))


class SensorNorm2d(nn.Module):
    """Batch normalisation of (N, C, H, W) with running statistics per sensor and one affine pair.

    Args:
        norm: The layer to take over: its affine parameters, eps, and statistics (copied for every sensor).
        sensors: Shared by all layers of the network.
        momentum: Share of a new batch in the running statistics; None keeps that of ``norm``.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: nn.BatchNorm2d, sensors: SensorSet, momentum: float | None = None) -> None:
        super().__init__()
        if norm.running_mean is None or norm.running_var is None:
            raise ParameterError(
                "a normalisation layer without running statistics cannot be made sensor-specific",
                next_step="choose an encoder with ordinary batch normalisation",
            )
        self.sensors = sensors
        self.eps = norm.eps
        self.momentum = momentum or norm.momentum or REFERENCE_MOMENTUM
        self.weight, self.bias = norm.weight, norm.bias
        count = len(sensors.names)
        self.register_buffer("running_mean", norm.running_mean.detach().repeat(count, 1))
        self.register_buffer("running_var", norm.running_var.detach().repeat(count, 1))
        # timm's layer carries the activation that follows; a subclass of batch normalisation, not a wrapper.
        self.drop = getattr(norm, "drop", None)
        self.act = getattr(norm, "act", None)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch of one sensor, (N, C, H, W)."""
        index = self.sensors.active_index()
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
    def copy_statistics(self, source: int, target: int) -> None:
        """Overwrite the statistics of sensor ``target`` with those of ``source`` (positions)."""
        self.running_mean[target] = self.running_mean[source]
        self.running_var[target] = self.running_var[source]

    @torch.no_grad()
    def extend(self, sensors: SensorSet) -> None:
        """Know ``sensors``, a superset; the new ones start from the first sensor's statistics."""
        rows = [self.sensors.names.index(n) if n in self.sensors.names else 0 for n in sensors.names]
        self.running_mean = self.running_mean[rows].clone()
        self.running_var = self.running_var[rows].clone()
        self.sensors = sensors


M = TypeVar("M", bound=nn.Module)


def convert_to_csn(net: M, sensors: Sequence[str], *, momentum: float | None = None) -> M:
    """Replace every batch normalisation of ``net``, in place, by a sensor-specific one.

    A network that already is sensor-specific learns the new names: their statistics start as copies of the
    first sensor's. A ``SegmentationNetwork``'s ``config`` is brought up to date.

    Args:
        net: The network.
        sensors: All sensors it shall know; those it knows already must be among them.
        momentum: As for :class:`SensorNorm2d`, for newly converted layers.

    Returns:
        ``net`` itself.

    Raises:
        ParameterError: If names repeat, a known sensor is missing, or there is nothing to convert.
    """
    chosen = SensorSet(sensors)
    layers = [m for m in net.modules() if isinstance(m, SensorNorm2d)]
    for layer in layers:
        missing = set(layer.sensors.names) - set(chosen.names)
        if missing:
            raise ParameterError(
                f"the network already knows {', '.join(sorted(missing))}, which would be lost",
                next_step="name every sensor that the network knows, and the new one",
            )
    for layer in layers:
        layer.extend(chosen)
    if _replace(net, chosen, momentum) + len(layers) == 0:
        raise ParameterError(
            "the network has no batch normalisation to make sensor-specific",
            next_step="choose an encoder with batch normalisation",
        )
    config = getattr(net, "config", None)
    if config is not None and hasattr(config, "sensor_specific"):
        update = {"sensors": chosen.names, "sensor_specific": True}
        if not layers:
            update["norm_momentum"] = momentum
        net.config = config.model_copy(update=update)
    return net


def copy_statistics(net: nn.Module, *, source: str, target: str) -> None:
    """Start ``target``'s statistics in every layer from ``source``'s, as when self-training begins."""
    for layer in net.modules():
        if isinstance(layer, SensorNorm2d):
            layer.copy_statistics(layer.sensors.index(source), layer.sensors.index(target))


@torch.no_grad()
def reestimate_statistics(net: nn.Module, sensor: str, batches: Iterable[Tensor]) -> None:
    """Set ``sensor``'s statistics to the average over ``batches`` of its images; no labels, no weights moved.

    Adaptive batch normalisation (Li et al., 2016). Dropout and drop-connect are off meanwhile, so that the
    statistics are those of the network as it is evaluated.

    Args:
        net: Sensor-specific.
        sensor: One it knows.
        batches: Inputs (B, C, H, W) of that sensor alone, on the network's device.
    """
    layers = [m for m in net.modules() if isinstance(m, SensorNorm2d)]
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


@contextmanager
def use_sensor(net: nn.Module, sensor: str) -> Iterator[None]:
    """Within the block (and thread), ``net`` normalises for ``sensor``; nothing is left behind after it.

    A network with ordinary batch normalisation has one set of statistics and ignores the choice.

    Raises:
        ParameterError: If ``net`` is sensor-specific and does not know ``sensor``.
    """
    layer = next((m for m in net.modules() if isinstance(m, SensorNorm2d)), None)
    if layer is None:
        yield
        return
    index = layer.sensors.index(sensor)
    token = _ACTIVE.set(MappingProxyType({**_ACTIVE.get(), layer.sensors: index}))
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def _replace(module: nn.Module, sensors: SensorSet, momentum: float | None) -> int:
    replaced = 0
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            norm = SensorNorm2d(child, sensors, momentum)
            norm.train(child.training)
            setattr(module, name, norm)
            replaced += 1
        else:
            replaced += _replace(child, sensors, momentum)
    return replaced
