"""From mean power to the product's numbers: noise floor, correlated gamma speckle, decibels."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from components.simulation.frame import Float, Mask
from components.simulation.radiometry import Radiometry

COPOL_COHERENCE, CROSS_COHERENCE = 0.92, 0.85
"""Coherence of HH with VV and of HV with VH before thermal noise, which is independent, lowers it; set so
that the decibels correlate as on the real SLC crops. HH and HV (0.07 there, data.md) are independent."""
RANGE_LEAK = 0.05
"""Share of the neighbour in range: the 0.36 m resolution resampled to 0.5 m correlates neighbours by 0.1."""


def speckle(signal_share: Float, looks: float, rng: np.random.Generator) -> Float:
    """Unit-mean gamma speckle of HH, HV, VH, VV with ``looks`` equivalent looks, float32 (4, rows, cols).

    A second polarisation is drawn given the first: for circular Gaussian fields of coherence c, the summed
    power of the second is a non-central chi-square of 2 L degrees of freedom whose non-centrality is
    proportional to the summed power of the first. That is exact for any number of looks of at least one half.
    Neighbours in range leak into each other; the drawn number of looks makes up for it.

    Args:
        signal_share: Signal over signal plus noise of each polarisation, (4, rows, cols).
        looks: Equivalent number of looks, above 0.6.
        rng: Source of the draws.
    """
    drawn_looks = looks * (1 + 2 * RANGE_LEAK**2) / (1 + 2 * RANGE_LEAK) ** 2
    result = np.empty_like(signal_share)
    for first, second, coherence in ((0, 3, COPOL_COHERENCE), (1, 2, CROSS_COHERENCE)):
        square = np.float32(coherence**2) * signal_share[first] * signal_share[second]
        power = rng.standard_gamma(drawn_looks, size=square.shape, dtype=np.float32)
        result[first] = power
        mean = np.sqrt(2 * square / (1 - square) * power)
        normal = rng.standard_normal(size=square.shape, dtype=np.float32) + mean
        rest = rng.standard_gamma(drawn_looks - 0.5, size=square.shape, dtype=np.float32)
        result[second] = (1 - square) * (0.5 * normal * normal + rest)
    leaked = np.float32(1 / (drawn_looks * (1 + 2 * RANGE_LEAK))) * result
    leak = np.float32(RANGE_LEAK / (drawn_looks * (1 + 2 * RANGE_LEAK)))
    leaked[:, 1:] += leak * result[:, :-1]
    leaked[:, :-1] += leak * result[:, 1:]
    # The outermost rows have one neighbour only: their own value stands in for the other.
    leaked[:, [0, -1]] += leak * result[:, [0, -1]]
    return leaked


def to_units(power: Float, valid: Mask, sensor: Radiometry, looks: float, rng: np.random.Generator) -> Float:
    """Image of HH, HV, VH, VV in the product's logarithmic units, 0 = no-data, float32 (4, rows, cols)."""
    noise = (10 ** (np.array(sensor.noise_db, dtype=np.float32) / 10))[:, None, None]
    signal = blur(power, sensor.psf)
    signal += np.float32(sensor.haze) * surroundings(signal)
    received = signal + noise
    signal /= received
    received *= speckle(signal, looks, rng)
    units = np.log10(np.maximum(received, 1e-6, out=received), out=received)
    units *= 10
    units += np.array(sensor.offset_db, np.float32)[:, None, None]
    # Valid pixels never reach 0, the no-data value.
    np.clip(units, 0.05, sensor.highest, out=units)
    units *= valid
    return units


def surroundings(power: Float) -> Float:
    """Mean power around each pixel, in steps of 8 pixels, fading out over some 70 pixels.

    Single strong targets do not count beyond 20 dB: their energy has its place in their sidelobes.
    """
    bands, rows, cols = power.shape
    padded = np.pad(np.minimum(power, np.float32(100)), ((0, 0), (0, -rows % 8), (0, -cols % 8)), mode="edge")
    coarse = padded.reshape(bands, padded.shape[1] // 8, 8, padded.shape[2] // 8, 8).mean(axis=(2, 4))
    wide = coarse
    for _ in range(3):
        wide = uniform_filter(wide, size=(1, 7, 7), mode="nearest")
    spread: Float = np.repeat(np.repeat(wide, 8, axis=1), 8, axis=2)[:, :rows, :cols]
    return spread


def blur(power: Float, leak: float) -> Float:
    """Spread each pixel's power over its four neighbours by the point spread ``leak``, energy kept."""
    centre = np.float32(1 - 2 * leak)
    for axis in (1, 2):
        spread = centre * power
        low: list[slice] = [slice(None)] * 3
        high: list[slice] = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        spread[tuple(low)] += np.float32(leak) * power[tuple(high)]
        spread[tuple(high)] += np.float32(leak) * power[tuple(low)]
        power = spread
    return power
