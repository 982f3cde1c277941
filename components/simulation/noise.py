"""Randomness that belongs to a place, the same at every pass: draws by position and periodic noise fields."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from components.simulation.frame import GSD_M, Double, Float, Frame

SIZE = 1024
CORRELATIONS_PX = {"fine": 0.0, "grain": 1.2, "patch": 7.0, "region": 40.0}
"""Correlation lengths in pixels of 0.5 m."""


def uniform_at(x: Double, y: Double, salt: int) -> Double:
    """Draw uniformly in (0, 1) for every position (metres, to the centimetre) and ``salt``."""
    mixed = np.round(x * 100).astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= np.round(y * 100).astype(np.int64).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed += np.uint64(salt * 0x165667B19E3779F9 % 2**64)
    # The finaliser of SplitMix64.
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def normal_at(x: Double, y: Double, salt: int) -> Double:
    """Draw from the standard normal distribution for every position and ``salt``."""
    result: Double = ndtri(uniform_at(x, y, salt))
    return result


class Textures:
    """Zero-mean, unit-variance noise fields with a period of 512 m."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 21])
        frequency = np.fft.fftfreq(SIZE)[:, None] ** 2 + np.fft.rfftfreq(SIZE)[None, :] ** 2
        self._fields: dict[str, Float] = {}
        for name, length in CORRELATIONS_PX.items():
            white = rng.standard_normal((SIZE, SIZE), dtype=np.float32)
            if length > 0:
                spectrum = np.fft.rfft2(white) * np.exp(-2 * (np.pi * length) ** 2 * frequency)
                white = np.fft.irfft2(spectrum, s=(SIZE, SIZE)).astype(np.float32)
            self._fields[name] = ((white - white.mean()) / white.std()).astype(np.float32)

    def over(self, name: str, frame: Frame, shift: int = 0) -> Float:
        """Return the field ``name`` on the pixels of ``frame``, float32 (rows, cols).

        Args:
            name: One of ``CORRELATIONS_PX``.
            frame: The raster.
            shift: Pixels to shift by, so that one field can serve independent uses.
        """
        field = self._fields[name]
        first_row = int(np.floor(-frame.y_top / GSD_M)) + shift
        first_col = int(np.floor(frame.x_left / GSD_M)) + 3 * shift
        rows = np.arange(first_row, first_row + frame.rows) % SIZE
        cols = np.arange(first_col, first_col + frame.cols) % SIZE
        return field[rows[:, None], cols[None, :]]


@lru_cache(maxsize=2)
def textures_of(seed: int) -> Textures:
    """Return the textures of a seed, shared within a process."""
    return Textures(seed)
