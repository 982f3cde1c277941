"""The section `scoring` of ``params.yaml``: the report, the gate and the evidence all score by it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.lib.config.loader import Parameters

Vectoriser = Literal["watershed", "plain"]

Drawing = Vectoriser | Literal["none"]
"""Origin of a tile's objects; ``none`` for a task without objects."""


class ScoringSettings(Parameters):
    """Prediction, vectorising and matching of tiles, fixed before the test split is looked at.

    Pixels are always scored by the class map against ``threshold``; the rest decides how polygons are drawn
    and matched. The module imports no torch: reading parameters must not wait for it.

    Attributes:
        threshold: Building probability above which a pixel is building; ``model`` takes the one that was
            chosen on the selection slice after training and is stored with each model.
        min_area_px: Truth of at least this area is scored, proposals must exceed it, pixels.
        iou: A building match must exceed this intersection over union.
        vectorise: ``watershed`` takes touching buildings apart where a network has a contour head, and is
            ``plain`` where it has none; ``plain`` draws the connected parts of the class map.
        seed_threshold: A building's seed exceeds this in ``footprint * (1 - contact)^2 * (1 - edge)``.
        min_seed_px: Smaller seeds are dropped, pixels.
        simplify_px: Douglas-Peucker tolerance of the polygons, pixels.
        scales: Factors on height and width of the views whose probabilities are averaged.
        flip: Whether every scale is seen in the left-right mirror too.
        turn: Whether optical networks see all this in all four quarter turns; radar has a direction, so SAR
            networks never do.
        window_px: Side of the prediction windows, pixels; a smaller tile is one window.
        batch: Windows per forward pass.
        block_m: Side of the ground blocks that intervals are taken over, metres: at least the distance beyond
            which scores do not correlate (docs/methods/metrics.md).
    """

    threshold: Literal["model"] | Annotated[float, Field(gt=0.0, lt=1.0)] = "model"
    min_area_px: int = Field(default=80, ge=0)
    iou: float = Field(default=0.5, gt=0.0, lt=1.0)
    vectorise: Vectoriser = "plain"
    seed_threshold: float = Field(default=0.75, gt=0.0, lt=1.0)
    min_seed_px: int = Field(default=110, ge=1)
    simplify_px: float = Field(default=0.5, ge=0.0)
    scales: tuple[Annotated[float, Field(ge=0.25, le=4.0)], ...] = Field(default=(1.0,), min_length=1)
    flip: bool = False
    turn: bool = False
    window_px: int = Field(default=512, ge=32)
    batch: int = Field(default=8, ge=1)
    block_m: float = Field(default=450.0, ge=1.0, le=1e6)

    @field_validator("scales")
    @classmethod
    def _distinct(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) != len(scales):
            raise ValueError("scales must be distinct")
        return scales

    def turns(self, modality: str) -> bool:
        """Return whether images of a modality are seen in all quarter turns: radar's never are."""
        return self.turn and modality == "optical"

    def threshold_of(self, model: float) -> float:
        """Return the threshold to score a model by, given the one that is stored with it."""
        return model if self.threshold == "model" else self.threshold
