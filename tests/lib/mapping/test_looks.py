from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

from components.lib.mapping.blending import FINE, Blend
from components.lib.mapping.blocks import Blocks, Box, Windows
from components.lib.mapping.forward import map_blocks
from components.lib.mapping.levels import Levels, to_probability
from components.lib.mapping.looks import CLIPPED, LookFusion
from components.lib.nets.network import Maps
from tests.lib.mapping.looks_at_ground import AIRBORNE, SPACEBORNE, Nearby, random_scene
from tests.lib.mapping.test_forward import SMALL, whole_map

BOX = Box(0, 0, 1, 4)


def look(*probabilities: float | None) -> Blend:
    """One look at four pixels: their probabilities, None without data."""
    blend = Blend(1, BOX, Windows((1, 4), 4, 0), with_fine=True)
    fine = [0 if p is None else 1 + round(FINE * p) for p in probabilities]
    window = np.zeros((1, 4, 4), dtype=np.uint16)
    window[0, 0] = fine
    blend.add(Box(0, 0, 4, 4), window)
    return blend


def fused(*looks: Blend) -> Levels:
    fusion = LookFusion((1, 1, 4))
    for one in looks:
        fusion.add(one)
    levels: Levels = fusion.levels()[0, 0]
    return levels


def test_the_mean_logit_of_the_looks_that_have_data() -> None:
    levels = fused(look(0.9, 0.5, None, None), look(0.2, 0.99, 0.3, None), look(0.4, 0.01, None, None))
    odds = [(0.9 / 0.1) * (0.2 / 0.8) * (0.4 / 0.6), 1.0 * 99 / 99]
    expected = [o ** (1 / 3) / (1 + o ** (1 / 3)) for o in odds]
    assert to_probability(levels)[:2] == pytest.approx(expected, abs=0.5 / 254 + 1e-4)
    assert levels[2] == 1 + round(254 * 0.3)
    assert levels[3] == 0


def test_certainty_counts_as_a_quarter_of_a_level() -> None:
    assert 254 * CLIPPED == 0.25
    levels = fused(look(0.0, 1.0, 0.0, 1.0), look(0.0, 1.0, 1.0, 0.5))
    logit = np.log((1 - CLIPPED) / CLIPPED) / 2
    assert levels.tolist() == [1, 255, 128, 1 + round(254 / (1 + np.exp(-logit)))]


def test_the_order_of_looks_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    looks = [look(*rng.random(4)) for _ in range(7)]
    assert np.array_equal(fused(*looks), fused(*looks[::-1]))


def test_one_look_has_its_own_levels_and_the_same_look_twice_almost() -> None:
    blends = [look(*np.linspace(a, a + 0.01, 4)) for a in np.linspace(0, 0.99, 60)]
    for one in blends:
        assert np.array_equal(fused(one), one.levels()[0, 0])
        assert np.abs(fused(one, one).astype(int) - one.levels()[0, 0]).max() <= 1


def test_looks_of_two_sensors_and_orientations_through_the_network() -> None:
    net = Nearby(contours=True, sensors=(AIRBORNE, SPACEBORNE))
    a, b = random_scene(150, 150, 1), random_scene(150, 150, 2, sensor=SPACEBORNE, orientation=1)
    a.pixels[:, 100:] = 0
    b.pixels[:60] = 0
    alone = [whole_map(net, [one], 80, SMALL) for one in (a, b)]
    expected = whole_map(net, [a, b], 200, SMALL)
    assert np.array_equal(whole_map(net, [a, b], 80, SMALL, order=-1), expected)
    assert np.array_equal(whole_map(net, [b, a], 37, SMALL), expected)
    assert np.array_equal(expected[:, :60], alone[0][:, :60])
    assert np.array_equal(expected[:, :, 100:], np.maximum(*alone)[:, :, 100:])
    low, high = np.minimum(*alone)[:, 60:, :100], np.maximum(*alone)[:, 60:, :100]
    assert ((expected[:, 60:, :100] >= low) & (expected[:, 60:, :100] <= high)).all()


def test_each_look_is_normalised_for_its_own_sensor() -> None:
    seen: list[str] = []

    class Noting(Nearby):
        def predict_maps(self, x: Tensor, sensor: str) -> Maps:
            seen.append(sensor)
            return super().predict_maps(x, sensor)

    net = Noting(sensors=(AIRBORNE, SPACEBORNE))
    looks = [random_scene(64, 112), random_scene(64, 112, sensor=SPACEBORNE)]
    list(map_blocks(net, looks, Blocks((64, 112), 200), [0], SMALL))
    assert seen == [AIRBORNE] * 2 + [SPACEBORNE] * 2
