"""Windows of maps by the parameters and the scene."""

from __future__ import annotations

import pytest

from components.lib.config.scoring import ScoringSettings
from components.predict.parameters import MapParameters
from components.predict.rules import MapRules


@pytest.mark.parametrize(
    ("shape", "side", "overlap"),
    [
        ((900, 900), 928, 0),
        ((33, 20), 64, 0),
        ((1, 1), 32, 0),
        ((8160, 8000), 8160, 0),
        ((8161, 10), 8192, 64),
        ((30_000, 900), 8192, 64),
    ],
)
def test_a_scene_smaller_than_a_window_is_one_window_of_about_its_size(
    shape: tuple[int, int], side: int, overlap: int
) -> None:
    windows = MapRules(MapParameters(window_px=8192), ScoringSettings()).windows(shape)
    assert (windows.side, windows.overlap) == (side, overlap)
