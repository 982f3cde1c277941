"""From mean power to the product's numbers: noise floor, correlated gamma speckle, decibels."""

from __future__ import annotations

import numpy as np

from components.lib.simulate.frame import Float, Mask
from components.lib.simulate.radiometry import Radiometry

CROSS_COHERENCE = 0.48
"""|coherence| of HV and VH on the real SLC crops (reference data.md, SAR physics); HH-HV is 0.07: left out."""
RANGE_LEAK = 0.05
"""Share of the neighbour in range: the 0.36 m resolution resampled to 0.5 m correlates neighbours by 0.1."""


def speckle(shape: tuple[int, int], looks: float, rng: np.random.Generator) -> Float:
    """Unit-mean gamma speckle of HH, HV, VH, VV, float32 (4, rows, cols), with ``looks`` equivalent looks.

    HV and VH share a part of their looks: two gamma variables with a common summand of shape r * L have
    marginals of shape L and intensity correlation r, the squared coherence. Neighbours in range leak into each
    other; the drawn shape makes up for the smoothing so that the equivalent number of looks stays ``looks``.
    """
    gain = (1 + 2 * RANGE_LEAK**2) / (1 + 2 * RANGE_LEAK) ** 2
    shape_parameter = looks * gain
    common = CROSS_COHERENCE**2
    rows, cols = shape
    result = np.empty((4, rows, cols), dtype=np.float32)
    shared = rng.standard_gamma(shape_parameter * common, size=(rows + 2, cols), dtype=np.float32)
    for band, own in enumerate((1.0, 1 - common, 1 - common, 1.0)):
        drawn = rng.standard_gamma(shape_parameter * own, size=(rows + 2, cols), dtype=np.float32)
        if own < 1:
            drawn += shared
        result[band] = drawn[1:-1] + np.float32(RANGE_LEAK) * (drawn[:-2] + drawn[2:])
    result *= np.float32(1 / (shape_parameter * (1 + 2 * RANGE_LEAK)))
    return result


def to_units(power: Float, valid: Mask, sensor: Radiometry, looks: float, rng: np.random.Generator) -> Float:
    """Image of HH, HV, VH, VV in the product's logarithmic units, 0 = no-data, float32 (4, rows, cols)."""
    noise = 10 ** (np.array(sensor.noise_db, dtype=np.float32) / 10)
    received = (blur(power, sensor.psf) + noise[:, None, None]) * speckle(valid.shape, looks, rng)
    units = 10 * np.log10(np.maximum(received, 1e-6)) + np.array(sensor.offset_db, np.float32)[:, None, None]
    # Valid pixels never reach 0, the no-data value.
    units = np.clip(units, 0.05, sensor.highest)
    units *= valid
    return units.astype(np.float32)


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
