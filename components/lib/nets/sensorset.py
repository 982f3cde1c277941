"""Choice of the sensor that a network works for, by a context manager that leaves nothing behind.

Layers that keep something per sensor (:class:`SensorLayer`: normalisation statistics, a stem) share one
:class:`SensorSet`. No layer holds a flag, so no network can be exported in "the wrong mode".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from torch import nn

from components.contract.errors import ParameterError


class SensorSet:
    """Sensors that all normalisation layers of one network know, in the order of their statistics."""

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


class SensorLayer(nn.Module, ABC):
    """A layer with something of its own for every sensor.

    Attributes:
        sensors: Shared by all such layers of one network.
    """

    sensors: SensorSet

    @abstractmethod
    def copy_sensor(self, source: int, target: int) -> None:
        """Overwrite what belongs to sensor ``target`` with what belongs to ``source`` (positions)."""

    @abstractmethod
    def extend(self, sensors: SensorSet) -> None:
        """Know ``sensors``, a superset; the new ones start as copies of the first known one."""


def sensor_layers(net: nn.Module) -> list[SensorLayer]:
    """Return all layers of ``net`` that keep something per sensor, in order."""
    return [module for module in net.modules() if isinstance(module, SensorLayer)]


@contextmanager
def use_sensor(net: nn.Module, sensor: str) -> Iterator[None]:
    """Let ``net`` work for ``sensor`` within the block (and thread); nothing is left behind after it.

    The choice decides the normalisation statistics and, where there is one per sensor, the stem. A network
    with nothing per sensor ignores it.

    Raises:
        ParameterError: If ``net`` is sensor-specific and does not know ``sensor``.
    """
    layer = next(iter(sensor_layers(net)), None)
    if layer is None:
        yield
        return
    index = layer.sensors.index(sensor)
    token = _ACTIVE.set(MappingProxyType({**_ACTIVE.get(), layer.sensors: index}))
    try:
        yield
    finally:
        _ACTIVE.reset(token)
