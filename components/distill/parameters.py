"""The section `distill` of ``params.yaml``."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, get_args

from pydantic import Field, PositiveFloat

from components.contract.errors import ParameterError
from components.lib.config.loader import Parameters
from components.lib.engine.parameters import TrainingParameters

Method = Literal["none", "optical_init", "semantic_fpn", "dmsd", "disoptnet", "hfd_reading", "concord"]
METHODS: tuple[Method, ...] = get_args(Method)

UNTAUGHT: tuple[Method, ...] = ("none", "optical_init", "semantic_fpn", "dmsd")
"""Same budget, no teacher beside them while they train: the controls, and LoveCS's networks to adapt from."""


class DisOptNetParameters(Parameters):
    """DisOptNet (reference 1.3, 1.4).

    Attributes:
        features: What branch R imitates. The released code pairs features of different sizes and crashes;
            the last two encoder features and the decoder's are the alternative its student agrees with
            (reference 1.6 item 1).
        output: The student's map that is deployed; ``branch_s`` costs half.
        soft_ramp: Share of the steps over which the soft-label term, eightfold the others, rises from 0; 0
            has it whole from the first step, as released. Ours: at its full weight it is most of the
            gradient while the network is raw, and kills branch R in short runs from random weights.
    """

    features: list[Literal["f4", "f5", "decoder"]] = Field(min_length=1)
    output: Literal["fused", "branch_s"]
    soft_ramp: float = Field(default=0.0, ge=0.0, le=1.0)


class HfdReadingParameters(Parameters):
    """Our reading of HFD-Net (reference 3.3); nothing of the original's layers or losses was published.

    Attributes:
        weight: Of the feature term, lambda.
        ramp: Share of the steps over which it rises from 0.
        alignment: How coarse maps meet fine ones: learnt ``flow``, or plain upsampling (``add``, ablation b).
        distance: Of adapted student and teacher features: ``direction`` or ``mse`` (ablation d).
        logits: Weight of a KL term on the class maps at temperature 2 (ablation e).
    """

    weight: float = Field(default=1.0, ge=0.0)
    ramp: float = Field(default=0.025, ge=0.0, le=1.0)
    alignment: Literal["flow", "add"] = "flow"
    distance: Literal["direction", "mse"] = "direction"
    logits: float = Field(default=0.0, ge=0.0)


class ConcordParameters(Parameters):
    """Ours: a teacher followed where teacher, truth and both sensors' geometry agree.

    DisOptNet's network; every part can be switched off.

    Attributes:
        start: ``optical`` starts both branches from the teacher's weights, ``scratch`` as DisOptNet does.
        labels: Weight of cross-entropy of branch R with the teacher's classes.
        symmetric: That cross-entropy both ways round.
        soft: Weight of soft cross-entropy of branch R with the teacher's probabilities; DisOptNet's is 8.
        ramp: Share of the steps over which that term rises from 0.
        channelwise: Weight of channel-wise distillation of the decoder's feature.
        relation: Weight of the relation loss on building boundaries, of the decoder's feature.
        trusted: Follow the teacher's classes and probabilities only where its class is the true one.
        masked: Leave pixels in layover or without data out of all that compares sensors.
    """

    start: Literal["optical", "scratch"] = "optical"
    labels: float = Field(default=0.25, ge=0.0)
    symmetric: bool = True
    soft: float = Field(default=2.0, ge=0.0)
    ramp: float = Field(default=0.4, ge=0.0, le=1.0)
    channelwise: float = Field(default=0.25, ge=0.0)
    relation: float = Field(default=0.25, ge=0.0)
    trusted: bool = True
    masked: bool = True


class DistillParameters(Parameters):
    """How the SAR networks are trained; the control and every method share the budget.

    Attributes:
        methods: Distillation methods to train, one model each, beside the control.
        epochs: Passes over the train tiles.
        crops_per_tile: Random crops of each tile per pass.
        lr: Base rate of the schedule by method; a method without one takes that of the section `training`.
        disoptnet: Of that method.
        hfd_reading: Of that method.
        concord: Of that method.
    """

    methods: list[Method]
    epochs: int = Field(ge=1)
    crops_per_tile: int = Field(ge=1)
    lr: dict[Method, PositiveFloat] = Field(default_factory=dict)
    disoptnet: DisOptNetParameters
    hfd_reading: HfdReadingParameters = HfdReadingParameters()
    concord: ConcordParameters = ConcordParameters()


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
