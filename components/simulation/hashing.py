"""Draws that belong to a place: the same wherever and however often the place is looked at."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from components.simulation.frame import Double


def uniform_at(x: Double, y: Double, salt: int) -> Double:
    """A uniform draw in (0, 1) for every position (metres, to the centimetre) and ``salt``."""
    mixed = np.round(x * 100).astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= np.round(y * 100).astype(np.int64).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed += np.uint64(salt * 0x165667B19E3779F9 % 2**64)
    # The finaliser of SplitMix64.
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def normal_at(x: Double, y: Double, salt: int) -> Double:
    """A standard normal draw for every position and ``salt``."""
    result: Double = ndtri(uniform_at(x, y, salt))
    return result
