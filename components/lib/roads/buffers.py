"""Relaxed precision, recall and IoU of roads: right within a tolerance.

The buffer method (Heipke et al., ISPRS Congress 1997; Wiedemann et al., 1998). By length: precision is the
share of the proposal's length within the tolerance of a true road, recall the share of the true length within
the tolerance of a proposed road. By area: the same of the roads widened by the tolerance on both sides, and
their IoU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from components.lib.roads.graph.model import Floats


@dataclass(frozen=True, slots=True)
class BufferSums:
    """Lengths and areas, in the unit of the coordinates and its square.

    Attributes:
        truth: Length of the true roads.
        truth_near: Length of them within the tolerance of a proposed road.
        proposal: Length of the proposed roads.
        proposal_near: Length of them within the tolerance of a true road.
        truth_area: Area of the widened true roads.
        proposal_area: Area of the widened proposed roads.
        shared_area: Area of both.
    """

    truth: float = 0.0
    truth_near: float = 0.0
    proposal: float = 0.0
    proposal_near: float = 0.0
    truth_area: float = 0.0
    proposal_area: float = 0.0
    shared_area: float = 0.0

    def __add__(self, other: BufferSums) -> BufferSums:
        return BufferSums(
            self.truth + other.truth,
            self.truth_near + other.truth_near,
            self.proposal + other.proposal,
            self.proposal_near + other.proposal_near,
            self.truth_area + other.truth_area,
            self.proposal_area + other.proposal_area,
            self.shared_area + other.shared_area,
        )

    def by_length(self) -> dict[str, float | None]:
        """Return precision, recall and F1 by length; None where there is nothing to take a share of."""
        return _scores(self.proposal_near, self.proposal, self.truth_near, self.truth)

    def by_area(self) -> dict[str, float | None]:
        """Return precision, recall, F1 and IoU of the widened roads."""
        shared = self.shared_area
        union = self.truth_area + self.proposal_area - shared
        return {
            **_scores(shared, self.proposal_area, shared, self.truth_area),
            "iou": shared / union if union else None,
        }


def sum_buffers(truth: Sequence[Floats], proposal: Sequence[Floats], tolerance: float) -> BufferSums:
    """Return the sums of one image.

    Args:
        truth: Vertices of each true road, (K, 2).
        proposal: The same of the proposal.
        tolerance: Largest distance, in the unit of the coordinates.
    """
    real, ours = _joined(truth), _joined(proposal)
    wide_real, wide_ours = _widened(real, tolerance), _widened(ours, tolerance)
    return BufferSums(
        real.length,
        shapely.intersection(real, wide_ours).length,
        ours.length,
        shapely.intersection(ours, wide_real).length,
        wide_real.area,
        wide_ours.area,
        shapely.intersection(wide_real, wide_ours).area,
    )


def _widened(roads: shapely.MultiLineString, tolerance: float) -> BaseGeometry:
    """Return the ground within the tolerance; line by line, which is ten times as fast as all at once."""
    return shapely.union_all(shapely.buffer(shapely.get_parts(roads), tolerance))


def _joined(lines: Sequence[Floats]) -> shapely.MultiLineString:
    return shapely.MultiLineString(list(lines))


def _scores(hits: float, predicted: float, found: float, real: float) -> dict[str, float | None]:
    precision = min(hits / predicted, 1.0) if predicted else None
    recall = min(found / real, 1.0) if real else None
    if precision is None and recall is None:
        return {"precision": None, "recall": None, "f1": None}
    total = (precision or 0.0) + (recall or 0.0)
    f1 = 2 * precision * recall / total if precision and recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
