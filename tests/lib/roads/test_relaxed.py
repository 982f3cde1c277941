from __future__ import annotations

import numpy as np

from components.lib.roads.relaxed import sum_masks

EVERYWHERE = np.ones((30, 30), dtype=bool)


def stripe(row: int, columns: slice = slice(None)) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((30, 30), dtype=bool)
    mask[row, columns] = True
    return mask


def test_a_shift_within_the_tolerance_is_right_and_one_beyond_is_wrong() -> None:
    near = sum_masks(stripe(10), stripe(13), EVERYWHERE, 3.0)
    assert (near.by_length()["precision"], near.by_length()["recall"]) == (1.0, 1.0)
    assert near.by_area()["iou"] == 4 / 10, "rows 10 to 13 of rows 7 to 16"
    far = sum_masks(stripe(10), stripe(14), EVERYWHERE, 3.0)
    assert (far.by_length()["precision"], far.by_length()["recall"]) == (0.0, 0.0)


def test_half_a_road_has_full_precision_and_half_the_recall() -> None:
    scores = sum_masks(stripe(10), stripe(10, slice(15)), EVERYWHERE, 0.0).by_length()
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)


def test_pixels_that_do_not_count_change_nothing() -> None:
    counted = EVERYWHERE.copy()
    counted[20:] = False
    wrong = stripe(10) | stripe(25)
    assert sum_masks(stripe(10), wrong, counted, 2.0) == sum_masks(stripe(10), stripe(10), counted, 2.0)


def test_empty_masks_have_no_scores() -> None:
    nothing = np.zeros((30, 30), dtype=bool)
    assert sum_masks(nothing, nothing, EVERYWHERE, 2.0).by_length()["precision"] is None
    one_sided = sum_masks(stripe(10), nothing, EVERYWHERE, 2.0)
    assert one_sided.by_length() == {"precision": None, "recall": 0.0, "f1": 0.0}
