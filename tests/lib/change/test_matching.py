from __future__ import annotations

import numpy as np

from components.lib.change.matching import one_to_one


def matched(*pairs: tuple[int, int, float]) -> list[tuple[int, int]]:
    first, second, overlap = (np.array(column) for column in zip(*pairs, strict=True))
    a, b, _ = one_to_one(first, second, overlap)
    return list(zip(a.tolist(), b.tolist(), strict=True))


def test_each_object_is_in_one_pair_at_most() -> None:
    assert matched((0, 0, 0.9), (0, 1, 0.8), (1, 0, 0.7), (1, 1, 0.3)) == [(0, 0), (1, 1)]


def test_equal_overlaps_are_chosen_in_the_order_of_the_numbers() -> None:
    assert matched((1, 0, 0.5), (0, 1, 0.5), (0, 0, 0.5)) == [(0, 0)]
    assert matched((1, 1, 0.5), (0, 1, 0.5)) == [(0, 1)]


def test_no_pair_at_all() -> None:
    empty = np.empty(0, dtype=np.int64)
    assert [len(part) for part in one_to_one(empty, empty, np.empty(0))] == [0, 0, 0]
