"""The section `evaluate` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.lib.config import Parameters


class EvaluateParameters(Parameters):
    """How models are scored and what the report shows.

    Attributes:
        confidence: Of the intervals over locations.
        resamples: Bootstrap draws over locations.
        threshold: Building probability above which a pixel is building, fixed beforehand.
        min_area_px: Truth of at least this area is scored, proposals must exceed it, pixels.
        iou: A building match must exceed this intersection over union.
        pictures: Tiles of the paired sensor drawn in the report.
        batch: Windows per forward pass.
        device: ``auto`` takes a GPU if there is one.
    """

    confidence: float = Field(gt=0.0, lt=1.0)
    resamples: int = Field(ge=1)
    threshold: float = Field(gt=0.0, lt=1.0)
    min_area_px: int = Field(ge=0)
    iou: float = Field(gt=0.0, lt=1.0)
    pictures: int = Field(ge=1, le=64)
    batch: int = Field(default=8, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
