"""Declaration of a change method: a network that compares two dates, and its own parameters.

A module of ``components/lib/methods`` declares its change method as ``CHANGE``; the stage `change` trains it.
"""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field, PositiveFloat
from torch import Tensor

from components.lib.change.nets.config import DEFAULT_ENCODER
from components.lib.change.nets.network import ChangeMaps, ChangeNetwork
from components.lib.change.training.loss import change_loss
from components.lib.config.loader import Parameters


class ChangeMethodParameters(Parameters):
    """Section ``methods.<name>`` of ``params.yaml``; methods with parameters of their own extend it.

    Attributes:
        lr: Base learning rate of the method; None takes the preset's.
    """

    lr: PositiveFloat | None = None


class UnetParameters(ChangeMethodParameters):
    """Section of a method whose network is a U-Net on an encoder of segmentation_models_pytorch.

    Attributes:
        encoder: Encoder of segmentation_models_pytorch.
        width: The decoder's stages have 8, 4, 2, 1 and one half of this width.
    """

    encoder: str = DEFAULT_ENCODER
    width: int = Field(default=32, ge=4, le=256, multiple_of=4)


P = TypeVar("P", bound=ChangeMethodParameters)


class ChangeMethod(ABC, Generic[P]):
    """Declaration of a way to find changes.

    Attributes:
        name: The module's name, the kind of the network, and that of the model's folder.
        description: The model in a few words, for tables and reports.
        parameters: Declaration of the section ``methods.<name>``.
        network: Class of the network.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    parameters: type[P]
    network: ClassVar[type[ChangeNetwork]]

    def network_options(self, parameters: P) -> dict[str, Any]:
        """Return the fields of the network's configuration that the method sets: its own parameters."""
        return parameters.model_dump(exclude=set(ChangeMethodParameters.model_fields))

    def losses(self, maps: ChangeMaps, label: Tensor) -> dict[str, Tensor]:
        """Return the terms whose sum is the loss: SGSLN's, which all methods share unless they say otherwise.

        Args and returns as :func:`components.lib.change.training.loss.change_loss`.
        """
        return change_loss(maps, label)
