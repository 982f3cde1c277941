from __future__ import annotations

import numpy as np
import pytest

from components.lib.mapping.blending import FINE, Blend
from components.lib.mapping.blocks import Box, Windows


@pytest.mark.parametrize("overlap", [0, 1, 7, 15])
@pytest.mark.parametrize("shape", [(20, 31), (32, 70), (100, 90)])
def test_a_constant_stays_itself_everywhere(overlap: int, shape: tuple[int, int]) -> None:
    windows, box = Windows(shape, 32, overlap), Box(0, 0, *shape)
    for p in (0.0, 0.3, 0.5, 1.0):
        blend = Blend(1, box, windows, with_fine=True)
        for window in windows.touching(box):
            blend.add(window, np.full((1, 32, 32), 1 + round(FINE * p), dtype=np.uint16))
        assert (blend.levels() == 1 + round(254 * p)).all()
        assert (blend.fine_levels() == 1 + round(FINE * p)).all()


def test_the_largest_sum_fits() -> None:
    windows, box = Windows((1600, 600), 600, 255), Box(300, 0, 700, 600)
    blend = Blend(1, box, windows, with_fine=True)
    for window in windows.touching(box):
        blend.add(window, np.full((1, 600, 600), 1 + FINE, dtype=np.uint16))
    assert (blend.levels() == 255).all()
    assert (blend.fine_levels() == 1 + FINE).all()


def test_weights_rise_linearly_over_the_overlap() -> None:
    windows, box = Windows((32, 57), 32, 7), Box(0, 0, 32, 57)
    first, second = windows.touching(box)
    blend = Blend(1, box, windows, with_fine=True)
    blend.add(first, np.ones((1, 32, 32), dtype=np.uint16))
    blend.add(second, np.full((1, 32, 32), 1 + FINE, dtype=np.uint16))
    shares = np.concatenate([np.zeros(25), np.arange(1, 8) / 8, np.ones(25)])
    assert np.array_equal(blend.levels()[0], np.broadcast_to(1 + np.rint(254 * shares), (32, 57)))


def test_levels_keep_the_stated_bound_and_no_data() -> None:
    rng = np.random.default_rng(0)
    windows, box = Windows((90, 90), 40, 12), Box(20, 10, 85, 90)
    truth, weight = np.zeros((90 + 40, 90 + 40)), np.zeros((90 + 40, 90 + 40))
    ramp = np.minimum(np.minimum(np.arange(1, 41), 13), np.arange(40, 0, -1)).astype(float)
    blend = Blend(1, box, windows, with_fine=True)
    empty = np.zeros((130, 130), dtype=bool)
    empty[30:50, 30:40] = True
    for window in windows.touching(box):
        p = rng.random((40, 40))
        place = np.s_[window.top : window.bottom, window.left : window.right]
        fine = np.where(empty[place], 0, 1 + np.rint(FINE * p)).astype(np.uint16)
        blend.add(window, fine[np.newaxis])
        rows, columns = ramp.copy(), ramp.copy()
        rows[:12] = 13 if window.top == 0 else rows[:12]
        columns[:12] = 13 if window.left == 0 else columns[:12]
        rows[28:] = 13 if window.bottom >= 90 else rows[28:]
        columns[28:] = 13 if window.right >= 90 else columns[28:]
        truth[place] += rows[:, None] * columns * p
        weight[place] += rows[:, None] * columns
    place = np.s_[box.top : box.bottom, box.left : box.right]
    levels = blend.levels()[0]
    assert np.array_equal(levels == 0, empty[place])
    error = np.abs((levels.astype(float) - 1) / 254 - truth[place] / weight[place])[~empty[place]]
    assert error.max() <= 1 / 508 + 1 / 131068 + 1e-6


def test_windows_come_row_by_row_and_whole_rows_may_be_missing() -> None:
    windows, box = Windows((500, 60), 64, 8), Box(0, 0, 500, 60)
    first, *_, last = windows.touching(box)
    blend = Blend(1, box, windows)
    blend.add(first, np.full((1, 64, 64), 1 + FINE, dtype=np.uint16))
    blend.add(last, np.full((1, 64, 64), 1, dtype=np.uint16))
    with pytest.raises(ValueError, match="row by row"):
        blend.add(first, np.ones((1, 64, 64), dtype=np.uint16))
    levels = blend.levels()[0]
    assert (levels[:56] == 255).all()
    assert not levels[64 : last.top].any()
    assert (levels[last.top + 8 :] == 1).all()
    with pytest.raises(ValueError, match="no fine levels"):
        blend.fine_levels()
