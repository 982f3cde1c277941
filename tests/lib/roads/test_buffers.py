from __future__ import annotations

import pytest

from components.lib.roads.buffers import BufferSums, sum_buffers
from tests.lib.roads.networks import CROSS, LINE, lines


def test_lengths_within_the_tolerance() -> None:
    found = sum_buffers(LINE, lines("0 3, 500 3", "0 50, 250 50"), 4.0)
    assert found.by_length() == pytest.approx(
        {"precision": 500 / 750, "recall": 0.5026, "f1": 0.5731}, abs=2e-4
    )


def test_areas_of_a_road_beside_itself() -> None:
    """Two strips of 8 that share 4 of it, but for the rounded ends."""
    found = sum_buffers(lines("0 0, 10000 0"), lines("0 4, 10000 4"), 4.0).by_area()
    assert found == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "iou": 1 / 3}, abs=2e-3)


def test_a_network_equals_itself_and_sums_add_up() -> None:
    one = sum_buffers(CROSS, CROSS, 4.0)
    assert (one + one).by_length() == pytest.approx({"precision": 1.0, "recall": 1.0, "f1": 1.0})
    assert (one + one).truth == pytest.approx(4000.0)
    assert one.by_area()["iou"] == pytest.approx(1.0)


def test_nothing_has_no_share() -> None:
    nothing = {"precision": None, "recall": None, "f1": None}
    assert sum_buffers([], [], 4.0) == BufferSums()
    assert BufferSums().by_length() == nothing
    assert BufferSums().by_area() == {**nothing, "iou": None}
    assert sum_buffers(LINE, [], 4.0).by_length() == {"precision": None, "recall": 0.0, "f1": 0.0}
