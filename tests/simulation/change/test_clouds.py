from __future__ import annotations

import numpy as np
import pytest

from components.simulation.change.clouds import cover
from components.simulation.conditions import AUGUST

GROUND = np.full((160, 200, 3), 90, dtype=np.uint8)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 1.0])
def test_clouds_cover_their_share_whatever_the_sky(share: float) -> None:
    for seed in range(3):
        covered = cover(GROUND, share, AUGUST, np.random.default_rng(seed))
        white = (covered >= 235).all(axis=-1)
        assert white.mean() == pytest.approx(share, abs=0.02)
        assert covered.min() >= 1


def test_clouds_throw_shadows_that_leave_part_of_the_light() -> None:
    covered = [cover(GROUND, 0.3, AUGUST, np.random.default_rng(seed)) for seed in range(6)]
    dark = np.stack(covered) < 60
    assert 0.05 < dark.mean() < 0.5
    assert np.stack(covered)[dark].min() >= 44


def test_skies_of_different_seeds_differ() -> None:
    first, second = (cover(GROUND, 0.4, AUGUST, np.random.default_rng(seed)) for seed in (1, 2))
    assert (first != second).any(axis=-1).mean() > 0.2
