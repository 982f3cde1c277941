"""Changed parts of a mask, matched one to one: a changed building counts once, however large it is.

A part is a 4-connected region of changed pixels, as footprints are drawn from probabilities
(:mod:`components.lib.geo.vectorise`); where a data set knows its changed buildings one by one, each of them
is a part of the truth, so that two that touch are two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from components.lib.change.matching import one_to_one
from components.lib.geo.vectorise import FOUR_CONNECTED, large_parts
from components.lib.metrics.counts import Counts
from components.lib.scoring.nodata import HIDDEN_SHARE

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PartMatches:
    """Matches of the parts of one pair; index 0 is part number 1.

    Attributes:
        truth_counted: (T,) bool, parts of the truth that are scored.
        truth_found: (T,) bool, scored and matched.
        predicted_counted: (P,) bool, predicted parts that are scored.
        predicted_right: (P,) bool, scored and matched.
    """

    truth_counted: Mask
    truth_found: Mask
    predicted_counted: Mask
    predicted_right: Mask

    @property
    def counts(self) -> Counts:
        """Number of parts found, falsely predicted and missed; tn stays 0."""
        found = int(self.truth_found.sum())
        return Counts(found, int(self.predicted_counted.sum()) - found, int(self.truth_counted.sum()) - found)


def changed_parts(changed: Mask, min_area_px: int = 1) -> Labels:
    """Number the 4-connected parts of a mask.

    Args:
        changed: (H, W), True where the ground changed.
        min_area_px: Smaller parts are dropped, pixels.

    Returns:
        (H, W) int32: 0 is unchanged, the parts are numbered 1..N without gaps.
    """
    labels, _ = ndimage.label(changed, structure=FOUR_CONNECTED)
    return large_parts(labels, min_area_px)


def match_parts(truth: Labels, predicted: Labels, known: Mask, iou: float) -> PartMatches:
    """Match predicted parts to true ones.

    Areas and overlaps are those of known pixels. Not scored is a true part of whose pixels more than half are
    unknown, and a predicted one with more than half on unknown pixels or on such a true part
    (as :func:`components.lib.scoring.nodata.scored_polygons` has it for buildings).

    Args:
        truth: (H, W), parts 1..T; 0 elsewhere.
        predicted: (H, W), parts 1..P; 0 elsewhere.
        known: (H, W), False where nobody knows whether the ground changed.
        iou: Least intersection over union of a match, above 0.
    """
    t_count, p_count = int(truth.max(initial=0)), int(predicted.max(initial=0))
    t_all, t_known = _areas(truth, t_count), _areas(truth[known], t_count)
    p_all, p_known = _areas(predicted, p_count), _areas(predicted[known], p_count)
    t_counted = (t_known >= (1.0 - HIDDEN_SHARE) * t_all) & (t_known > 0)
    scored = known & np.concatenate(([True], t_counted))[truth]
    p_scored = _areas(predicted[scored], p_count)
    p_counted = (p_scored >= (1.0 - HIDDEN_SHARE) * p_all) & (p_known > 0)

    both = known & (truth > 0) & (predicted > 0)
    joint = (truth[both].astype(np.int64) - 1) * p_count + predicted[both] - 1
    pairs, shared = np.unique(joint, return_counts=True)
    t, p = pairs // max(p_count, 1), pairs % max(p_count, 1)
    overlap = shared / (t_known[t] + p_known[p] - shared)
    wanted = (overlap >= iou) & t_counted[t] & p_counted[p]
    t, p, _ = one_to_one(t[wanted], p[wanted], overlap[wanted])
    found, right = np.zeros(t_count, dtype=bool), np.zeros(p_count, dtype=bool)
    found[t] = right[p] = True
    return PartMatches(t_counted, found, p_counted, right)


def _areas(labels: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    """Return the number of pixels of each part, (count,)."""
    return np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.int64)
