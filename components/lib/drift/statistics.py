"""Statistics of one image from its valid pixels, beside the mean and deviation that validation has anyway.

All are facts of the stored pixels, in the units of the product; none needs a label, a model or another image.
The equivalent number of looks assumes decibels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import polygamma

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]

WINDOW_PX = 8
"""Side of the windows in which speckle is measured; few of them are of one surface in a town."""

EVEN_SHARE = 0.2
"""Windows of the lowest variance count as even ground: this quantile of the windows' variances is taken."""

LEAST_WINDOWS = 20
"""Below this number of wholly valid windows no number of looks is given."""

DECIBEL = 10.0 / np.log(10.0)
"""Decibels per unit of the natural logarithm."""

OF_BANDS = ("mean", "std", "skew", "texture", "looks")
"""Statistics of each band; ``looks`` of SAR only."""


def band_statistics(array: npt.NDArray[np.generic], valid: Mask, *, decibels: bool) -> list[dict[str, float]]:
    """Return skewness, texture and, of decibels, the equivalent number of looks of each band.

    Args:
        array: Real numbers, (C, H, W).
        valid: Pixels with data, (H, W).
        decibels: True for SAR in decibels, whatever constant the product adds.

    Returns:
        For each band ``skew``, ``texture`` and ``looks``; one that cannot be had is left out.
    """
    pairs = [(valid[1:] & valid[:-1], 0), (valid[:, 1:] & valid[:, :-1], 1)]
    found = []
    for band in array:
        image = np.asarray(band, dtype=np.float32)
        own = _skew_and_variance(image[valid])
        row: dict[str, float] = {}
        if own is not None:
            skew, variance = own
            row["skew"] = skew
            steps = [np.diff(image, axis=axis)[both] for both, axis in pairs]
            count = sum(step.size for step in steps)
            if count:
                squares = sum(float(np.square(step).sum(dtype=np.float64)) for step in steps)
                row["texture"] = squares / count / (2.0 * variance)
        if decibels and (looks := equivalent_looks(image, valid)) is not None:
            row["looks"] = looks
        found.append(row)
    return found


def equivalent_looks(decibels: Pixels, valid: Mask) -> float | None:
    """Return the equivalent number of looks of even ground.

    The logarithm of gamma-distributed speckle of L looks has the variance psi'(L), whatever its mean; in
    decibels that is times (10 / ln 10)^2 (Oliver and Quegan, Understanding Synthetic Aperture Radar Images,
    2004, section 4.3). Texture adds to it, so the variance is taken of the evenest windows. It is a number to
    compare images of one sensor by: a low quantile of estimates lies below the true variance, and correlated
    neighbours lower it further.

    Args:
        decibels: (H, W).
        valid: Pixels with data, (H, W).

    Returns:
        Number of looks; None where there are too few windows, or the evenest ground does not vary.
    """
    rows, cols = (side // WINDOW_PX for side in decibels.shape)
    shape = (rows, WINDOW_PX, cols, WINDOW_PX)
    cut = (slice(0, rows * WINDOW_PX), slice(0, cols * WINDOW_PX))
    whole = valid[cut].reshape(shape).all(axis=(1, 3))
    if int(whole.sum()) < LEAST_WINDOWS:
        return None
    windows = decibels[cut].reshape(shape)
    mean = windows.mean(axis=(1, 3), keepdims=True)
    variances = np.square(windows - mean).mean(axis=(1, 3))[whole]
    least = float(np.quantile(variances, EVEN_SHARE)) * WINDOW_PX**2 / (WINDOW_PX**2 - 1)
    return inverse_trigamma(least / DECIBEL**2) if least > 0 else None


def inverse_trigamma(value: float) -> float:
    """Return the x > 0 whose trigamma function is ``value`` > 0, by Newton's method on its reciprocal.

    The reciprocal is nearly linear in x, so that a few steps suffice (Smyth 2004, Statistical Applications in
    Genetics and Molecular Biology 3, appendix).
    """
    x = 0.5 + 1.0 / float(value)
    for _ in range(20):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1.0 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


def _skew_and_variance(pixels: Pixels) -> tuple[float, float] | None:
    """Return skewness and variance, None where the pixels do not vary."""
    if pixels.size < 2:
        return None
    away = pixels - np.float32(pixels.mean(dtype=np.float64))
    squares = away * away
    variance = float(squares.mean(dtype=np.float64))
    if not variance > 0:
        return None
    squares *= away
    return float(squares.mean(dtype=np.float64)) / variance**1.5, variance
