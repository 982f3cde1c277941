"""Changed buildings as polygons, matched one to one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.change.matching import one_to_one
from components.lib.metrics.counts import Counts

Geometries = npt.NDArray[np.object_]


def match_outlines(truth: Geometries, predicted: Geometries, iou: float) -> Counts:
    """Match predicted buildings to true ones.

    Args:
        truth: (T,) valid polygons and multi-polygons.
        predicted: (P,) valid polygons and multi-polygons, in the same CRS.
        iou: Least intersection over union of a match, above 0.

    Returns:
        Buildings found, falsely predicted and missed; tn is 0.
    """
    p, t = shapely.STRtree(truth).query(predicted)
    shared = shapely.area(shapely.intersection(predicted[p], truth[t]))
    union = shapely.area(predicted)[p] + shapely.area(truth)[t] - shared
    overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    near = overlap >= iou
    found = len(one_to_one(t[near], p[near], overlap[near])[0])
    return Counts(found, len(predicted) - found, len(truth) - found)
