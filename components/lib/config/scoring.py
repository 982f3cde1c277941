"""The part of the section `evaluate` that everything that scores follows: the report and the gate alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.lib.config.loader import Parameters

Vectoriser = Literal["watershed", "plain"]


class ScoringParameters(Parameters):
    """How tiles are predicted, vectorised and held against the truth, by whoever does it.

    Here and not beside :mod:`components.lib.scoring`: reading parameters must not wait for torch.

    Attributes:
        threshold: Building probability above which a pixel is building, fixed beforehand.
        min_area_px: Truth of at least this area is scored, proposals must exceed it, pixels.
        iou: A building match must exceed this intersection over union.
        vectorise: ``watershed`` takes touching buildings apart where a network has a contour head;
            ``plain`` draws the connected parts of the class map.
        seed_threshold: A building's seed exceeds this in ``footprint * (1 - contact)^2 * (1 - edge)``.
        min_seed_px: Smaller seeds are dropped, pixels.
        scales: Factors on height and width of the views whose probabilities are averaged.
        flip: Whether every scale is seen in the left-right mirror too.
        batch: Windows per forward pass.
    """

    threshold: float = Field(gt=0.0, lt=1.0)
    min_area_px: int = Field(ge=0)
    iou: float = Field(gt=0.0, lt=1.0)
    vectorise: Vectoriser = "plain"
    seed_threshold: float = Field(default=0.75, gt=0.0, lt=1.0)
    min_seed_px: int = Field(default=110, ge=1)
    scales: tuple[Annotated[float, Field(ge=0.25, le=4.0)], ...] = Field(default=(1.0,), min_length=1)
    flip: bool = False
    batch: int = Field(default=8, ge=1)

    @field_validator("scales")
    @classmethod
    def _distinct(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) != len(scales):
            raise ValueError("scales must be distinct")
        return scales
