"""How predictions are turned into polygons and held against the truth."""

from __future__ import annotations

from dataclasses import dataclass

from components.lib.config.scoring import ScoringParameters, Vectoriser
from components.lib.geo.watershed import REFERENCE_SEED_PX, WatershedSettings
from components.lib.scoring.augmentation import TestTimeAugmentation

PLAIN_VIEW = TestTimeAugmentation()
"""Every image seen once, as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSettings:
    """Fixed before the test split is looked at (reference distillation.md sections 2.3, 2.6 and 2.7).

    Pixels are always judged by the class map against ``threshold``; the rest says how polygons are drawn.

    Attributes:
        threshold: Building probability above which a pixel is building.
        min_area_px: Truth of at least this area is scored, proposals must exceed it, pixels.
        iou: A match must exceed this intersection over union.
        simplify_px: Douglas-Peucker tolerance of the polygons, pixels.
        window_px: Side of the prediction windows, pixels; a smaller tile is one window.
        batch: Windows per forward pass.
        vectorise: ``watershed`` takes touching buildings apart where the network has a contour head, and is
            ``plain`` where it has none; ``plain`` draws the connected parts of the class map.
        seed_threshold: Of the watershed, :class:`components.lib.geo.watershed.WatershedSettings`.
        min_seed_px: The same, pixels.
        augmentation: Views of each window whose probabilities are averaged.
    """

    threshold: float = 0.5
    min_area_px: int = 80
    iou: float = 0.5
    simplify_px: float = 0.5
    window_px: int = 512
    batch: int = 8
    vectorise: Vectoriser = "plain"
    seed_threshold: float = 0.75
    min_seed_px: int = REFERENCE_SEED_PX
    augmentation: TestTimeAugmentation = PLAIN_VIEW

    @classmethod
    def of(cls, section: ScoringParameters) -> ScoringSettings:
        """The settings of a section; whoever scores by the same section scores alike."""
        return cls(
            threshold=section.threshold,
            min_area_px=section.min_area_px,
            iou=section.iou,
            batch=section.batch,
            vectorise=section.vectorise,
            seed_threshold=section.seed_threshold,
            min_seed_px=section.min_seed_px,
            augmentation=TestTimeAugmentation(scales=section.scales, flip=section.flip),
        )

    @property
    def watershed(self) -> WatershedSettings:
        """The part that the watershed follows."""
        return WatershedSettings(
            threshold=self.threshold,
            seed_threshold=self.seed_threshold,
            min_seed_px=self.min_seed_px,
            min_area_px=self.min_area_px,
            simplify_px=self.simplify_px,
        )
