"""The section `adapt` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from components.lib.config import Parameters


class AdaptParameters(Parameters):
    """How the network is adapted.

    Attributes:
        start_from: Which of ``models/sar/`` is adapted.
        target: Sensor without labels; None publishes the network unchanged.
        epochs: Passes over the source's train tiles, one random crop each, times ``crops_per_tile``.
        crops_per_tile: Crops of a tile per epoch.
        lr: Base rate of the schedule; None takes that of the section `training`.
        warmup_share: Share of the steps that see the source alone.
        statistics: Target's normalisation when the first round begins: ``reestimated`` from its own images
            (ours: a far sensor looks all background through the source's), or ``copied`` from the source
            ("as released").
        rounds: Pseudo-labelling rounds, evenly spaced after the warm-up.
        portion: Share of each class's most confident pixels that sets its threshold.
        scales: Scales whose maps are averaged for pseudo-labels.
        fusion: Average softmax probabilities, or logits ("as released").
        target_weight: Weight of the target's loss.
    """

    start_from: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    target: str | None
    epochs: int = Field(ge=1)
    crops_per_tile: int = Field(ge=1)
    lr: float | None = Field(default=None, gt=0.0)
    warmup_share: float = Field(ge=0.0, lt=1.0)
    statistics: Literal["reestimated", "copied"] = "reestimated"
    rounds: int = Field(ge=1)
    portion: float = Field(gt=0.0, le=1.0)
    scales: tuple[float, ...] = Field(min_length=1)
    fusion: Literal["softmax", "logits"] = "softmax"
    target_weight: float = Field(ge=0.0)

    @field_validator("scales")
    @classmethod
    def _positive(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0.25 <= scale <= 4 for scale in scales):
            raise ValueError("each scale must be between 0.25 and 4")
        return scales
