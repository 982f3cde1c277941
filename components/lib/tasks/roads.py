"""The task of roads: three label layers, scored by pixels and by pixels within a tolerance.

A road is found as part of a graph and not as a polygon: tables of objects are empty, and nothing of roads is
scored by objects. Graphs are traced and scored in :mod:`components.lib.scoring.graphs`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.lib.config.scoring import Drawing, ScoringSettings
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.vectorise import Polygons
from components.lib.metrics.spacenet_f1 import Matches, match_polygons
from components.lib.roads.buffers import BufferSums
from components.lib.roads.relaxed import sum_masks
from components.lib.tasks.base import Floats, Integers, Objects, Task
from components.lib.tasks.labels import BAND_OF, ROAD_LABELS, target_of
from components.lib.tasks.names import ROAD_TOLERANCE_M


class Roads(Task):
    """Roads, scored by pixels of the class map."""

    name = "roads"
    labels = ROAD_LABELS

    def truth_mask(self, target: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return the road pixels (H, W) of the packed layer ``target`` (H, W, 1)."""
        return target_of(target)

    def predicted_mask(self, prediction: GeoArray, threshold: float) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) whose class map exceeds the threshold; none where there is no data."""
        mask: npt.NDArray[np.bool_] = (self.probability(prediction) > threshold) & prediction.valid
        return mask

    def probability(self, prediction: GeoArray) -> npt.NDArray[np.float32]:
        """Return the road probability (H, W) of the class map."""
        return np.asarray(prediction.band(BAND_OF[self.name]), dtype=np.float32)

    def relaxed(
        self,
        predicted: npt.NDArray[np.bool_],
        truth: npt.NDArray[np.bool_],
        counted: npt.NDArray[np.bool_],
        gsd_m: float,
    ) -> BufferSums | None:
        """Return the sums within ``ROAD_TOLERANCE_M``, in pixels."""
        return sum_masks(truth, predicted, counted, ROAD_TOLERANCE_M / gsd_m)

    def vectoriser(self, prediction: GeoArray, settings: ScoringSettings) -> Drawing:
        """Return ``none``: no objects are drawn."""
        return "none"

    def drawn_mask(
        self, prediction: GeoArray, settings: ScoringSettings, threshold: float
    ) -> npt.NDArray[np.bool_]:
        """Return the predicted pixels (H, W)."""
        return self.predicted_mask(prediction, threshold)

    def draw(self, prediction: GeoArray, settings: ScoringSettings, threshold: float) -> Polygons:
        """Return no objects, in the plane of the north-up tile."""
        upright = prediction.north_up()
        return Polygons(
            geometries=np.empty(0, dtype=object),
            confidences=np.empty(0, dtype=np.float64),
            transform=upright.transform,
            crs=upright.crs,
        )

    def match(
        self,
        truth: Objects,
        proposals: Objects,
        *,
        truth_tiles: Integers,
        proposal_tiles: Integers,
        confidence: Floats,
        settings: ScoringSettings,
    ) -> Matches:
        """Match nothing: neither truth nor predictions have objects."""
        return match_polygons(
            truth[:0],
            proposals[:0],
            truth_tiles=truth_tiles[:0],
            proposal_tiles=proposal_tiles[:0],
            confidence=confidence[:0],
        )


ROADS = Roads()
"""The task of stores whose labels are roads."""
