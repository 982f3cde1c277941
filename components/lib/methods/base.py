"""Declarations that a module of ``components/lib/methods`` makes: a method, an optical teacher, or both.

A method is trained by the stage `distill` on SAR images, with an optical teacher beside it or without one. A
teacher is trained by the stage `optical` on the optical images of the same tiles.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import PositiveFloat

from components.contract.errors import ParameterError
from components.lib.config.loader import Parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.supervised import SupervisedTask
from components.lib.engine.task import TrainingTask
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.tasks.names import TASK_NAMES, TaskName


class MethodParameters(Parameters):
    """Section ``methods.<name>`` of ``params.yaml``; methods with parameters of their own extend it.

    Attributes:
        lr: Base learning rate of the method; None takes that of the section `training`.
    """

    lr: PositiveFloat | None = None


P = TypeVar("P", bound=MethodParameters)
N = TypeVar("N", bound=SegmentationNetwork)


@dataclass(frozen=True, kw_only=True)
class Setup(Generic[P]):
    """Inputs of a method's losses.

    Attributes:
        net: The SAR network to train.
        teacher: The trained optical network, where the method needs one.
        parameters: The method's own section.
        training: Section `training`, with the method's learning rate.
        sensor: Name of the sensor whose tiles are trained on.
        steps: Optimiser steps of the run.
    """

    net: SegmentationNetwork
    teacher: SingleMapNetwork | None
    parameters: P
    training: TrainingParameters
    sensor: str
    steps: int

    def student_as(self, network: type[N]) -> N:
        """Return the SAR network as an instance of ``network``.

        Raises:
            TypeError: If it is none: the method declares another kind than its losses read.
        """
        return _as(network, self.net)

    def teacher_as(self, network: type[N]) -> N:
        """Return the teacher as an instance of ``network``.

        Raises:
            TypeError: If it is none, or absent.
        """
        return _as(network, self.teacher)

    def share_of_steps(self, share: float) -> int:
        """Return how many of the run's steps ``share`` (0 to 1) is, rounded."""
        return round(share * self.steps)


class Method(ABC, Generic[P]):
    """Declaration of a way to train a SAR network. A module declares its method as ``METHOD``.

    Attributes:
        name: The module's name, and that of the model's folder.
        description: The model in a few words, for tables and reports.
        parameters: Declaration of the section ``methods.<name>``.
        kind: Kind of the network, as stored with the model: a shared one of ``components/lib/nets``, or the
            method's own name.
        network: The class of that kind where no other method uses it; None for a shared one.
        teacher: Kind of the optical teacher that is needed; None for none.
        layers: Layers of the store that a step reads.
        tasks: Tasks that its losses know.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    parameters: type[P]
    kind: ClassVar[str]
    network: ClassVar[type[SegmentationNetwork] | None] = None
    teacher: ClassVar[str | None] = None
    layers: ClassVar[tuple[str, ...]] = ("sar", "target")
    tasks: ClassVar[tuple[TaskName, ...]] = TASK_NAMES

    def require_task(self, task: TaskName) -> None:
        """Check that the losses know a store's task; raises ParameterError otherwise."""
        if task not in self.tasks:
            raise ParameterError(
                f"distill.methods: {self.name} knows no labels of {task} (prepare.task)",
                next_step=f"choose another method for {task}: disoptnet, or one without a teacher",
            )

    def network_options(self, parameters: P) -> dict[str, Any]:
        """Return the fields of the network's configuration that the method's own parameters set."""
        return {}

    def start(self, net: SegmentationNetwork, teacher: SingleMapNetwork | None, parameters: P) -> None:
        """Change the freshly drawn weights of ``net`` before training; the default leaves them.

        Raises:
            ParameterError: If the teacher cannot lend its weights.
        """
        return

    @abstractmethod
    def task(self, setup: Setup[P]) -> TrainingTask:
        """Return the losses of the method; called after :meth:`start`."""


class SupervisedMethod(Method[MethodParameters]):
    """Training with the labels alone; a subclass names the network.

    Attributes:
        supervision: Losses of the class map and the contours.
    """

    parameters = MethodParameters
    supervision: ClassVar[type[SupervisedTask]] = SupervisedTask

    def task(self, setup: Setup[MethodParameters]) -> TrainingTask:
        """Return the supervised loss of the network's class map, and of the contours where it draws them."""
        return self.supervision(setup.net, setup.training.contour_weight)


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A network that can be trained on optical images, to teach others. A module declares it as ``TEACHER``.

    Attributes:
        kind: The module's name, the kind of the network, and the name of the model's folder.
        description: The model in a few words, for tables and reports.
        supervision: Losses of the class map and the contours.
    """

    kind: str
    description: str
    supervision: type[SupervisedTask] = SupervisedTask
    layers: ClassVar[tuple[str, ...]] = ("optical", "target")

    def task(self, net: SegmentationNetwork, training: TrainingParameters) -> TrainingTask:
        """Return the supervised loss of ``net``."""
        return self.supervision(net, training.contour_weight)


def require_same_contours(net: SegmentationNetwork, teacher: SegmentationNetwork) -> None:
    """Check that ``net`` can start from the weights of ``teacher``.

    Raises:
        ParameterError: If one has a contour head and the other has not.
    """
    if net.config.contours != teacher.config.contours:
        raise ParameterError(
            "training.contour_weight: the teacher in models/optical was trained "
            f"{'with' if teacher.config.contours else 'without'} contours",
            next_step="run `dvc repro optical` to train it as params.yaml says now",
        )


def _as(network: type[N], found: SegmentationNetwork | None) -> N:
    if not isinstance(found, network):
        raise TypeError(f"expected a {network.__name__}, got {type(found).__name__}")
    return found
