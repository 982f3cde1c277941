"""The section `distill` of ``params.yaml``."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, get_args

from pydantic import Field, PositiveFloat

from components.lib.config import Parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.errors import ParameterError

Method = Literal["disoptnet", "none"]
METHODS: tuple[Method, ...] = get_args(Method)


class DistillParameters(Parameters):
    """How the SAR networks are trained; the control and every method share the budget.

    Attributes:
        methods: Distillation methods to train, one model each, beside the control.
        epochs: Passes over the train tiles.
        crops_per_tile: Random crops of each tile per pass.
        lr: Base rate of the schedule by method; a method without one takes that of the section `training`.
        features: What branch R imitates. The released code pairs features of different sizes and crashes;
            the last two encoder features and the decoder's are the alternative its student agrees with
            (reference 1.6 item 1).
        output: The student's map that is deployed; ``branch_s`` costs half.
    """

    methods: list[Method]
    epochs: int = Field(ge=1)
    crops_per_tile: int = Field(ge=1)
    lr: dict[Method, PositiveFloat] = Field(default_factory=dict)
    features: list[Literal["f4", "f5", "decoder"]] = Field(min_length=1)
    output: Literal["fused", "branch_s"]


def training_of(
    method: Method, training: TrainingParameters, distill: DistillParameters
) -> TrainingParameters:
    """Section `training` with the method's own base rate, where it has one."""
    return training.model_copy(update={"lr": distill.lr.get(method, training.lr)})


def checked_method(name: str) -> Method:
    """``name`` if it is a method.

    Raises:
        ParameterError: If it is not, naming the nearest one.
    """
    for method in METHODS:
        if name == method:
            return method
    nearest = get_close_matches(name, METHODS, n=1, cutoff=0.0)[0]
    raise ParameterError(
        f"--method: unknown method {name!r}; the nearest known one is {nearest!r}",
        next_step=f"use one of {', '.join(METHODS)}",
    )
