from __future__ import annotations

import numpy as np
import pytest

from components.lib.scoring.blocks import block_names, block_parts


@pytest.mark.parametrize("orientation", [0, 1])
def test_every_pixel_is_in_the_block_of_its_centre(orientation: int) -> None:
    tile = {"x_left_m": 1013.2, "y_top_m": 2091.7, "gsd_m": 0.5, "height": 450, "width": 400}
    parts = block_parts(**tile, orientation=orientation, block_m=100.0)  # type: ignore[arg-type]
    names = np.full((450, 400), "", dtype=object)
    for part in parts:
        assert (names[part.rows, part.cols] == "").all()
        names[part.rows, part.cols] = part.block
    if orientation == 1:
        names = names[::-1, ::-1]
    y, x = np.mgrid[0:450, 0:400]
    expected = block_names(
        (1013.2 + (x.ravel() + 0.5) * 0.5), (2091.7 - (y.ravel() + 0.5) * 0.5), block_m=100.0
    )
    assert names.ravel().tolist() == expected


def test_tiles_that_overlap_share_a_block_on_their_common_ground_only() -> None:
    first = {p.block for p in _parts(x_left_m=0.0)}
    second = {p.block for p in _parts(x_left_m=150.0)}
    assert first & second == {"1_0", "1_1"}


def _parts(x_left_m: float) -> list:  # type: ignore[type-arg]
    return block_parts(
        x_left_m=x_left_m, y_top_m=200.0, gsd_m=0.5, height=400, width=400, orientation=0, block_m=100.0
    )
