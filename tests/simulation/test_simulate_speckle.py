from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.contract.errors import ParameterError
from components.simulation.radiometry import RADIOMETRY, radiometry_of
from components.simulation.speckle import blur, speckle, surroundings, to_units

SHAPE = (4, 400, 400)


@pytest.mark.parametrize("looks", [1.5, 4.0])
def test_speckle_has_the_looks_asked_for_in_every_band(looks: float) -> None:
    drawn = speckle(np.full(SHAPE, 0.7, dtype=np.float32), looks, np.random.default_rng(1))
    inner = drawn[:, 2:-2].astype(np.float64)
    np.testing.assert_allclose(inner.mean(axis=(1, 2)), 1.0, atol=0.02)
    enl = inner.mean(axis=(1, 2)) ** 2 / inner.var(axis=(1, 2))
    np.testing.assert_allclose(enl, looks, rtol=0.06)


def test_relatives_correlate_and_strangers_do_not() -> None:
    clear = speckle(np.ones(SHAPE, dtype=np.float32) * 0.99, 4.0, np.random.default_rng(1))
    noisy = speckle(np.full(SHAPE, 0.5, dtype=np.float32), 4.0, np.random.default_rng(1))
    r = np.atleast_2d(np.corrcoef(clear.reshape(4, -1)))
    assert r[0, 3] == pytest.approx((0.92 * 0.99) ** 2, abs=0.03)
    assert r[1, 2] == pytest.approx((0.85 * 0.99) ** 2, abs=0.03)
    assert abs(r[0, 1]) < 0.02
    # Thermal noise is independent: it takes the coherence away.
    assert np.atleast_2d(np.corrcoef(noisy.reshape(4, -1)))[1, 2] == pytest.approx(
        (0.85 * 0.5) ** 2, abs=0.03
    )


def test_neighbours_correlate_in_range_only() -> None:
    drawn = speckle(np.full(SHAPE, 0.5, dtype=np.float32), 4.0, np.random.default_rng(1))[0]
    along = np.corrcoef(drawn[1:].ravel(), drawn[:-1].ravel())[0, 1]
    across = np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1]
    assert along == pytest.approx(0.1, abs=0.02)
    assert abs(across) < 0.02


def test_units_are_zero_outside_the_swath_and_positive_inside() -> None:
    valid = np.zeros((50, 60), dtype=bool)
    valid[10:30] = True
    power = np.zeros((4, 50, 60), dtype=np.float32)
    power[:, 20, 30] = 1e9
    units = to_units(power, valid, radiometry_of("simulated-airborne"), 4.0, np.random.default_rng(0))
    assert units.dtype == np.float32
    assert (units[:, ~valid] == 0).all()
    assert (units[:, valid] > 0).all()
    assert units.max() == pytest.approx(92.9)


def test_nothing_is_darker_than_the_noise_on_average() -> None:
    valid = np.ones((200, 200), dtype=bool)
    radar = replace(RADIOMETRY["simulated-airborne"], offset_db=(40.0, 40.0, 40.0, 40.0))
    units = to_units(np.zeros((4, 200, 200), np.float32), valid, radar, 4.0, np.random.default_rng(0))
    mean_power = 10 * np.log10((10 ** ((units - 40.0) / 10)).mean(axis=(1, 2)))
    np.testing.assert_allclose(mean_power, radar.noise_db, atol=0.1)


def test_haze_lights_shadows_in_a_bright_city_and_forgives_single_targets() -> None:
    power = np.full((4, 160, 200), 0.05, dtype=np.float32)
    power[:, :, 100:] = 5.0
    power[:, 80, 20] = 1e6
    around = surroundings(power)
    assert around.shape == power.shape
    assert around[0, 80, 199] == pytest.approx(5.0, rel=0.01)
    assert 1.0 < around[0, 80, 100] < 4.0
    assert around[0, 80, 20] < 0.5
    np.testing.assert_allclose(surroundings(np.full((4, 33, 41), 2.0, dtype=np.float32)), 2.0, rtol=1e-5)


def test_blur_keeps_energy() -> None:
    power = np.zeros((4, 9, 9), dtype=np.float32)
    power[:, 4, 4] = 1.0
    spread = blur(power, 0.08)
    np.testing.assert_allclose(spread.sum(axis=(1, 2)), 1.0, rtol=1e-5)
    assert spread[0, 3, 4] == pytest.approx(0.08 * 0.84, rel=1e-5)


def test_a_real_sensor_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="capella-airborne"):
        radiometry_of("capella-airborne")
