from __future__ import annotations

import numpy as np
import shapely

from components.lib.change.scoring.outlines import match_outlines
from components.lib.metrics.counts import Counts

TRUTH = np.array([shapely.box(0, 0, 10, 10), shapely.box(20, 0, 30, 10)], dtype=object)


def test_a_building_is_found_once() -> None:
    twice = np.array([TRUTH[0], shapely.box(0, 0, 10, 9), TRUTH[1]], dtype=object)
    assert match_outlines(TRUTH, twice, 0.5) == Counts(2, 1, 0)


def test_the_iou_that_is_stated_is_enough() -> None:
    half = np.array([shapely.box(0, 0, 5, 10)], dtype=object)
    assert match_outlines(TRUTH, half, 0.5) == Counts(1, 0, 1)
    assert match_outlines(TRUTH, half, 0.501) == Counts(0, 1, 2)


def test_buildings_of_several_parts_and_none() -> None:
    both = np.array([shapely.MultiPolygon(list(TRUTH))], dtype=object)
    assert match_outlines(both, both, 0.5) == Counts(1, 0, 0)
    nothing = np.empty(0, dtype=object)
    assert match_outlines(TRUTH, nothing, 0.5) == Counts(0, 0, 2)
    assert match_outlines(nothing, TRUTH, 0.5) == Counts(0, 2, 0)
