"""Section `adapt` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from components.lib.config.loader import Parameters
from components.lib.engine.parameters import Budget


class GuardParameters(Parameters):
    """Limits beyond which a round of pseudo-labels is not trained on (``lib/selftraining/collapse.py``).

    Attributes:
        max_shift: Factor by which a class's share of the labelled pixels may move between rounds; for the
            first round, from the source's truth.
        min_agreement: Least intersection over union of a class's labels in two rounds.
        max_fall: Most by which that agreement may fall from one round to the next.
        min_contrast: Least similarity, -1 (reversed) to 1 (alike), of how labelled buildings stand out from
            background in the images to how the source's truth does.
    """

    max_shift: float = Field(default=2.0, gt=1.0)
    min_agreement: float = Field(default=0.4, ge=0.0, le=1.0)
    max_fall: float = Field(default=0.2, ge=0.0, le=1.0)
    min_contrast: float = Field(default=0.0, ge=-1.0, le=1.0)


class AdaptParameters(Budget):
    """Adaptation of a network to a sensor without labels; passes are over the source's train tiles.

    Attributes:
        start_from: Folder of ``models/sar/`` that is adapted.
        target: Sensor without labels; None publishes the network unchanged.
        labels: Labels of the target: ``pseudo`` labels; ``none``, where no step is taken and only what is set
            from images alone moves (its statistics, the moments of its input); ``truth``, its own labels
            ("oracle", for evidence only), from the first step on.
        normalisation: Statistics ``per_sensor`` (CSN), or one set ``shared`` by both (ablation).
        inputs: Target's pixels as they are (``shared``), or brought to the source's mean and deviation per
            band first (``per_sensor``), from images alone.
        stems: First convolution ``per_sensor`` or ``shared``.
        lr: Base rate of the schedule; None takes that of the section `training`.
        weight_decay: L2 decay on every trainable parameter (LoveCS: 5e-4); None takes that of `training`.
        clip_norm: L2 norm that gradients are clipped to (LoveCS: 35); None takes that of `training`.
        warmup_share: Share of the steps that see the source alone.
        statistics: Target's normalisation when the first round begins: ``reestimated`` from its own images
            (ours: a far sensor looks all background through the source's), or ``copied`` from the source
            ("as released").
        rounds: Pseudo-labelling rounds, evenly spaced after the warm-up.
        portion: Share of each class's most confident pixels that sets its threshold. With a small one
            fewer labels are wrong and fewer teach: the least certain pixels are ignored.
        balance: A class's pixels are counted among those ``predicted`` as it (as released), or labels
            follow the classes' shares in the source's truth, the ``prior`` (ours: a network that finds a
            fifth of the buildings would otherwise be taught that there are no more). The latter assumes that
            the target has the source's share of buildings: where it has half of it, up to half of the
            building labels are wrong, and with one round no guard sees it.
        factors: Scales whose maps are averaged for pseudo-labels, around the ratio of the sensors' pixel
            sizes in the store; None takes ``lib/selftraining/scales.py``'s.
        scales: The scales themselves, whatever the pixels measure; None derives them from ``factors``.
        fusion: Average softmax probabilities, or logits ("as released").
        guard: Limits on a round of pseudo-labels; None trains on every round ("as released").
        target_weight: Weight of the target's loss.
        target_loss: Loss of pseudo-labels: cross-entropy ("as released"), with Dice, or symmetric. Truth
            always has cross-entropy and Dice.
    """

    start_from: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    target: str | None
    labels: Literal["pseudo", "none", "truth"] = "pseudo"
    normalisation: Literal["per_sensor", "shared"] = "per_sensor"
    inputs: Literal["shared", "per_sensor"] = "shared"
    stems: Literal["per_sensor", "shared"] = "shared"
    lr: float | None = Field(default=None, gt=0.0)
    weight_decay: float | None = Field(default=None, ge=0.0)
    clip_norm: float | None = Field(default=None, gt=0.0)
    warmup_share: float = Field(ge=0.0, lt=1.0)
    statistics: Literal["reestimated", "copied"] = "reestimated"
    rounds: int = Field(ge=1)
    portion: float = Field(gt=0.0, le=1.0)
    balance: Literal["predicted", "prior"] = "predicted"
    factors: tuple[float, ...] | None = Field(default=None, min_length=1)
    scales: tuple[float, ...] | None = Field(default=None, min_length=1)
    fusion: Literal["softmax", "logits"] = "softmax"
    guard: GuardParameters | None = None
    target_weight: float = Field(ge=0.0)
    target_loss: Literal["ce", "ce_dice", "symmetric"] = "ce"

    @field_validator("scales", "factors")
    @classmethod
    def _positive(cls, scales: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if any(not 0.25 <= scale <= 4 for scale in scales or ()):
            raise ValueError("each scale must be between 0.25 and 4")
        return scales

    @model_validator(mode="after")
    def _possible(self) -> AdaptParameters:
        if self.labels == "none" and self.normalisation == "shared" and self.inputs == "shared":
            raise ValueError(
                "labels: none moves only the target's own statistics and input moments, and normalisation: "
                "shared with inputs: shared has neither; set one of them to per_sensor"
            )
        if self.balance == "prior" and self.fusion == "logits":
            raise ValueError("balance: prior needs probabilities, fusion: softmax")
        return self
