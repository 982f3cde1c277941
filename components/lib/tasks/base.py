"""Declaration of a task: what is predicted, and how a prediction is scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from components.lib.config.scoring import Drawing, ScoringSettings
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.vectorise import Polygons
from components.lib.metrics.spacenet_f1 import Matches, match_polygons
from components.lib.roads.buffers import BufferSums
from components.lib.tasks.labels import BAND_OF, ignored_of, target_of
from components.lib.tasks.names import TaskName

Objects = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]


class Task(ABC):
    """One prediction target: label layers, post-processing and object metric.

    Attributes:
        name: Name of the task.
        labels: Label layers, the bits of the store's layer ``target`` in order.
    """

    name: ClassVar[TaskName]
    labels: ClassVar[tuple[str, ...]]

    def truth_mask(self, target: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) that belong to the target, from the packed layer ``target`` (H, W, 1)."""
        return target_of(target)

    def counted_mask(self, target: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) that scores count, as far as the packed layer ``target`` decides."""
        return ~ignored_of(target, self.name)

    def predicted_mask(self, prediction: GeoArray, threshold: float) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) predicted to belong to the target, in the prediction's own orientation.

        They are those whose class map exceeds the threshold; none where there is no data.
        """
        mask: npt.NDArray[np.bool_] = (self.probability(prediction) > threshold) & prediction.valid
        return mask

    def probability(self, prediction: GeoArray) -> npt.NDArray[np.float32]:
        """Return the class map (H, W) that the threshold cuts, in the prediction's own orientation."""
        return np.asarray(prediction.band(BAND_OF[self.name]), dtype=np.float32)

    def relaxed(
        self,
        predicted: npt.NDArray[np.bool_],
        truth: npt.NDArray[np.bool_],
        counted: npt.NDArray[np.bool_],
        gsd_m: float,
    ) -> BufferSums | None:
        """Return the sums of scores within a tolerance; None for a task that has no such scores.

        Args:
            predicted: Pixels (H, W) predicted to belong to the target.
            truth: Pixels that do.
            counted: Pixels that count.
            gsd_m: Pixel size, metres.
        """
        return None

    @abstractmethod
    def vectoriser(self, prediction: GeoArray, settings: ScoringSettings) -> Drawing:
        """Return the vectoriser that the settings ask for and the prediction's bands allow."""

    @abstractmethod
    def drawn_mask(
        self, prediction: GeoArray, settings: ScoringSettings, threshold: float
    ) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) that :meth:`draw` makes objects of, in the prediction's own orientation.

        How an 8-connected part of them is drawn depends on no pixel outside that part.
        """

    @abstractmethod
    def draw(self, prediction: GeoArray, settings: ScoringSettings, threshold: float) -> Polygons:
        """Draw the objects of one tile.

        Args:
            prediction: Probabilities of the tile.
            settings: Vectoriser and its parameters.
            threshold: Probability above which a pixel belongs to an object.
        """

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
        """Match predicted objects to true ones by the SpaceNet metric: one to one, by confidence.

        Args:
            truth: (T,) shapely polygons in pixels of the north-up tile.
            proposals: (P,) the same, as drawn.
            truth_tiles: (T,) tile of each.
            proposal_tiles: (P,) tile of each.
            confidence: (P,) confidences.
            settings: Smallest area and least IoU.
        """
        return match_polygons(
            truth,
            proposals,
            truth_tiles=truth_tiles,
            proposal_tiles=proposal_tiles,
            confidence=confidence,
            min_area=settings.min_area_px,
            iou=settings.iou,
        )
