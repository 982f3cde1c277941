"""What the gate shares with ``evaluate``: both score alike."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from components.lib.config import Parameters
from components.lib.scoring import ScoringSettings


class ScoringRules(Parameters):
    """The part of the section ``evaluate`` that scoring follows.

    Attributes:
        threshold: Building probability above which a pixel is building.
        min_area_px: Truth of at least this area is scored, proposals must exceed it, pixels.
        iou: A building match must exceed this intersection over union.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    threshold: float = Field(gt=0, lt=1)
    min_area_px: int = Field(ge=0)
    iou: float = Field(gt=0, lt=1)

    @property
    def settings(self) -> ScoringSettings:
        """For :func:`components.lib.scoring.score_model`."""
        return ScoringSettings(threshold=self.threshold, min_area_px=self.min_area_px, iou=self.iou)
