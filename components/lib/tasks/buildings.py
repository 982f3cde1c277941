"""The task of building footprints: three label layers, two vectorisers, the SpaceNet metric."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.lib.config.scoring import Drawing, ScoringSettings
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.vectorise import Polygons, vectorise
from components.lib.geo.watershed import vectorise_contours
from components.lib.tasks.base import Task
from components.lib.tasks.labels import BUILDING_BAND, LABELS


class Buildings(Task):
    """Building footprints, scored by pixels of the class map and by polygons.

    A polygon's confidence is the mean of the class map inside it, whichever vectoriser drew it: the metric
    sorts by it, and the class map is the one map that every network has and whose pixels are scored.
    """

    name = "buildings"
    labels = LABELS

    def vectoriser(self, prediction: GeoArray, settings: ScoringSettings) -> Drawing:
        """Return ``plain`` where the prediction has no contours: there is nothing to flood."""
        return settings.vectorise if set(self.labels) <= set(prediction.bands) else "plain"

    def drawn_mask(
        self, prediction: GeoArray, settings: ScoringSettings, threshold: float
    ) -> npt.NDArray[np.bool_]:
        """Return where the footprint (watershed) or the class map (plain) exceeds the threshold, (H, W)."""
        plain = self.vectoriser(prediction, settings) == "plain"
        mask: npt.NDArray[np.bool_] = prediction.band(BUILDING_BAND if plain else LABELS[0]) > threshold
        return mask

    def draw(self, prediction: GeoArray, settings: ScoringSettings, threshold: float) -> Polygons:
        """Draw the building polygons of one tile; ``threshold`` bounds their bodies, not their seeds."""
        if self.vectoriser(prediction, settings) == "plain":
            return vectorise(
                prediction,
                threshold=threshold,
                min_area_px=settings.min_area_px,
                simplify_px=settings.simplify_px,
                band=BUILDING_BAND,
            )
        return vectorise_contours(
            prediction,
            threshold=threshold,
            seed_threshold=settings.seed_threshold,
            min_seed_px=settings.min_seed_px,
            min_area_px=settings.min_area_px,
            simplify_px=settings.simplify_px,
            confidence=BUILDING_BAND,
        )


BUILDINGS = Buildings()
"""The task of stores whose labels are buildings."""
