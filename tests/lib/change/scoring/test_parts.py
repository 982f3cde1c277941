from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from components.lib.change.scoring.parts import changed_parts, match_parts
from components.lib.metrics.counts import Counts

SHAPE = (40, 60)
ALL_KNOWN = np.ones(SHAPE, dtype=bool)


def mask(*boxes: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    """Mask with boxes (top, left, height, width)."""
    found = np.zeros(SHAPE, dtype=bool)
    for top, left, height, width in boxes:
        found[top : top + height, left : left + width] = True
    return found


def counts(
    truth: npt.NDArray[np.bool_],
    predicted: npt.NDArray[np.bool_],
    *,
    known: npt.NDArray[np.bool_] = ALL_KNOWN,
    iou: float = 0.5,
) -> Counts:
    return match_parts(changed_parts(truth), changed_parts(predicted), known, iou).counts


def test_parts_that_touch_at_a_corner_are_two() -> None:
    assert changed_parts(mask((0, 0, 4, 4), (4, 4, 4, 4))).max() == 2


def test_small_parts_are_dropped_on_request() -> None:
    parts = changed_parts(mask((0, 0, 2, 2), (10, 10, 5, 5)), min_area_px=5)
    assert parts.max() == 1
    assert parts[12, 12] == 1


def test_a_large_building_counts_as_much_as_a_small_one() -> None:
    truth = mask((0, 0, 30, 20), (0, 40, 3, 3))
    assert counts(truth, mask((0, 0, 30, 20))) == Counts(1, 0, 1)


def test_the_iou_that_is_stated_is_enough() -> None:
    """Twelve of sixteen pixels shared and nothing beside: an IoU of 0.75 exactly."""
    truth, predicted = mask((0, 0, 4, 4)), mask((0, 0, 4, 3))
    assert counts(truth, predicted, iou=0.75) == Counts(1, 0, 0)
    assert counts(truth, predicted, iou=0.7501) == Counts(0, 1, 1)


def test_a_building_is_found_once_however_many_parts_lie_on_it() -> None:
    """Both halves have an IoU of exactly 1/2 with it: one is right, the other a false alarm."""
    truth = mask((0, 0, 4, 9))
    predicted = mask((0, 0, 4, 4), (0, 5, 4, 4))
    assert counts(truth, predicted, iou=0.25) == Counts(1, 1, 0)


def test_one_part_over_two_buildings_finds_at_most_one() -> None:
    truth = mask((0, 0, 10, 10), (0, 11, 10, 5))
    assert counts(truth, mask((0, 0, 10, 16))) == Counts(1, 0, 1)


def test_below_one_half_the_larger_overlap_is_taken_first() -> None:
    """The second building overlaps the part more, though the first has the lower number."""
    truth = mask((0, 0, 10, 4), (0, 5, 10, 6))
    assert match_parts(
        changed_parts(truth), changed_parts(mask((0, 1, 10, 10))), ALL_KNOWN, 0.2
    ).truth_found.tolist() == [False, True]


def test_parts_on_unknown_ground_are_not_scored() -> None:
    known = np.ones(SHAPE, dtype=bool)
    known[:, 30:] = False
    assert counts(mask((0, 40, 5, 5)), mask((20, 40, 5, 5)), known=known) == Counts(0, 0, 0)


def test_a_part_that_is_half_unknown_is_matched_by_what_is_known() -> None:
    known = np.ones(SHAPE, dtype=bool)
    known[:, 10:] = False
    truth, predicted = mask((0, 4, 8, 12)), mask((0, 4, 8, 9))
    assert counts(truth, predicted, known=known) == Counts(1, 0, 0)


def test_a_false_alarm_mostly_on_a_hidden_building_is_no_false_alarm() -> None:
    known = np.ones(SHAPE, dtype=bool)
    known[:, 10:] = False
    truth, predicted = mask((0, 6, 8, 20)), mask((0, 6, 8, 5))
    assert counts(truth, predicted, known=known) == Counts(0, 0, 0)


@pytest.mark.parametrize("empty", [True, False])
def test_nothing_at_all_has_no_counts(empty: bool) -> None:
    nothing = mask()
    other = nothing if empty else mask((3, 3, 4, 4))
    assert counts(nothing, other) == Counts(0, 0 if empty else 1, 0)
