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
from components.lib.roads.buffers import BufferSums
from components.lib.roads.relaxed import sum_masks
from components.lib.tasks.base import Task
from components.lib.tasks.labels import ROAD_LABELS
from components.lib.tasks.names import ROAD_TOLERANCE_M


class Roads(Task):
    """Roads, scored by pixels of the class map."""

    name = "roads"
    labels = ROAD_LABELS

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


ROADS = Roads()
"""The task of stores whose labels are roads."""
