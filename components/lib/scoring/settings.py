"""How predictions are turned into polygons and held against the truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSettings:
    """Fixed before the test split is looked at (reference distillation.md sections 2.3 and 2.6).

    Attributes:
        threshold: Building probability above which a pixel is building.
        min_area_px: Truth of at least this area is scored, proposals must exceed it, pixels.
        iou: A match must exceed this intersection over union.
        simplify_px: Douglas-Peucker tolerance of the polygons, pixels.
        window_px: Side of the prediction windows, pixels; a smaller tile is one window.
        batch: Windows per forward pass.
    """

    threshold: float = 0.5
    min_area_px: int = 80
    iou: float = 0.5
    simplify_px: float = 0.5
    window_px: int = 512
    batch: int = 8
