from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from components.lib.mapping.packing import pack

SIDES = st.one_of(st.integers(1, 60), st.integers(1, 1500))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(SIDES, SIDES), max_size=60))
def test_each_box_is_placed_once_with_a_gap_around_it(shapes: list[tuple[int, int]]) -> None:
    seen: list[int] = []
    for canvas in pack(shapes):
        seen += canvas.indices.tolist()
        free = np.ones((canvas.shape[0] + 1, canvas.shape[1] + 1), dtype=bool)
        middles = []
        for index, top, left in zip(canvas.indices, canvas.tops, canvas.lefts, strict=True):
            height, width = shapes[index]
            assert top + height <= canvas.shape[0]
            assert left + width <= canvas.shape[1]
            cell = free[top : top + height + 1, left : left + width + 1]
            assert cell[:-1, :-1].all()
            # The row below and the column to the right are the gap.
            cell[:] = False
            middles.append((left + width / 2, top + height / 2))
        x, y = np.array(middles).T
        assert canvas.owners(x, y).tolist() == list(range(len(canvas.indices)))
    assert sorted(seen) == list(range(len(shapes)))


def test_small_boxes_fill_a_canvas_and_large_ones_stand_alone() -> None:
    canvases = list(pack([(40, 40)] * 500 + [(30, 5000)]))
    assert [len(canvas.indices) for canvas in canvases] == [500, 1]
    assert canvases[0].shape[0] * canvases[0].shape[1] < 1.2 * 500 * 40 * 40
    assert canvases[1].shape == (30, 5000)
    assert list(pack([])) == []
