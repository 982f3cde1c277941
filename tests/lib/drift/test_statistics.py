"""Statistics of pixels against values that are known."""

from __future__ import annotations

import numpy as np
import pytest

from components.lib.drift.statistics import band_statistics, equivalent_looks, inverse_trigamma


def speckled(looks: float, offset: float = 40.0) -> np.ndarray:
    power = np.random.default_rng(1).gamma(looks, 1.0 / looks, size=(2, 128, 128))
    return (10.0 * np.log10(power) + offset).astype(np.float32)


@pytest.mark.parametrize(("value", "expected"), [(np.pi**2 / 6, 1.0), (np.pi**2 / 6 - 1, 2.0), (1e4, 0.01)])
def test_inverse_of_the_trigamma_function(value: float, expected: float) -> None:
    assert inverse_trigamma(value) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("looks", [1.0, 4.0, 12.0])
def test_looks_of_even_ground(looks: float) -> None:
    valid = np.ones((128, 128), dtype=bool)
    bright, dark = (equivalent_looks(speckled(looks, level)[0], valid) for level in (40.0, 10.0))
    assert bright == pytest.approx(looks, rel=0.35), "the evenest fifth lies below the mean variance"
    assert dark == pytest.approx(bright, rel=1e-3), "whatever the level"


def test_texture_is_one_for_white_noise_and_small_for_smooth_images() -> None:
    valid = np.ones((128, 128), dtype=bool)
    ramp = np.linspace(0, 50, 128, dtype=np.float32) * np.ones((1, 128, 1), dtype=np.float32)
    white, smooth = (band_statistics(a, valid, decibels=True)[0] for a in (speckled(4.0), ramp))
    assert white["texture"] == pytest.approx(1.0, abs=0.05)
    assert smooth["texture"] < 0.01
    assert white["skew"] < -0.3, "decibels of speckle have a long lower tail"


def test_only_valid_pixels_count() -> None:
    image = speckled(4.0)
    valid = np.zeros((128, 128), dtype=bool)
    valid[:64] = True
    spoilt = image.copy()
    spoilt[:, 64:] = -999.0
    assert band_statistics(spoilt, valid, decibels=True) == band_statistics(image, valid, decibels=True)


def test_what_cannot_be_had_is_left_out() -> None:
    nothing = np.zeros((128, 128), dtype=bool)
    assert band_statistics(speckled(4.0), nothing, decibels=True) == [{}, {}]
    constant = np.ones((1, 128, 128), dtype=np.uint8)
    assert band_statistics(constant, ~nothing, decibels=True) == [{}]
    assert "looks" not in band_statistics(speckled(4.0), ~nothing, decibels=False)[0]
