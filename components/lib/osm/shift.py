"""Misregistration of a mask against its image, without truth: the shift at which both agree best.

After the reference's method of November 2026 (ours; tried there on one tile of Vegas: four known shifts of up
to 10 px were found to 1 px, all with the same offset of 1.5 m each way, from the score or from the truth). So
differences between tiles mean more than one tile's figure, and nothing is moved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import distance_transform_edt, uniform_filter

from components.lib.geo.spans import Mask

Image = npt.NDArray[np.float32]

REACH_M = 8.0
"""Largest shift that is looked for, each way, metres."""

RING_M = (3.0, 8.0)
"""Distances from the objects between which their surroundings are looked at, metres."""

_MEAN_M, _TEXTURE_M = 16.0, 3.0
_SIGMA = 2.0
_LEAST_PIXELS = 100
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Shift:
    """Shift that moves a mask onto its image.

    Attributes:
        east_m: Metres to the east; NaN where it is unknown.
        north_m: Metres to the north; NaN where it is unknown.
        unknown: Why it is unknown; "" where it is measured.
    """

    east_m: float = nan
    north_m: float = nan
    unknown: str = ""


def estimate_shift(objects: Mask, image: Image, valid: Mask, gsd_m: float) -> Shift:
    """Return the shift that moves objects onto an image.

    A linear discriminant of bands and texture between the objects and a ring around them scores each pixel;
    the score, clipped at two standard deviations, is correlated with the mask less its mean over 16 m for all
    shifts of whole pixels; a parabola gives the fraction.

    Args:
        objects: (H, W) bool, where the mask has an object; north-up.
        image: (H, W, C) float32; north-up.
        valid: (H, W) bool, where the image has data.
        gsd_m: Pixel size in metres.
    """
    score = _score(objects & valid, image, valid, gsd_m)
    if score is None:
        return Shift(unknown="objects look like their surroundings, or there are too few pixels of either")
    reach = round(REACH_M / gsd_m)
    values = objects.astype(np.float32)
    template = np.where(valid, values - uniform_filter(values, round(_MEAN_M / gsd_m)), 0)
    agreement = _correlate(score, template.astype(np.float32), reach)
    row, column = np.unravel_index(int(agreement.argmax()), agreement.shape)
    if not (0 < row < 2 * reach and 0 < column < 2 * reach):
        return Shift(unknown="best agreement at the border of what is searched")
    down = row - reach + _vertex(agreement[row - 1 : row + 2, column])
    right = column - reach + _vertex(agreement[row, column - 1 : column + 2])
    east_m, north_m = float(right) * gsd_m, -float(down) * gsd_m
    if np.hypot(east_m, north_m) > REACH_M:
        return Shift(unknown="best agreement beyond what is believed")
    return Shift(round(east_m, 3) + 0.0, round(north_m, 3) + 0.0)


def _score(objects: Mask, image: Image, valid: Mask, gsd_m: float) -> Image | None:
    distance_m = distance_transform_edt(~objects) * gsd_m if objects.any() else np.full(objects.shape, np.inf)
    ring = valid & (distance_m >= RING_M[0]) & (distance_m <= RING_M[1])
    if min(objects.sum(), ring.sum()) < _LEAST_PIXELS:
        return None
    features = _features(image, round(_TEXTURE_M / gsd_m))
    inside, around = features[objects], features[ring]
    spread = (np.cov(inside.T) + np.cov(around.T)) / 2
    spread += np.eye(len(spread)) * max(float(np.trace(spread)) / len(spread) * _RIDGE, 1e-12)
    direction = np.linalg.solve(spread, inside.mean(axis=0) - around.mean(axis=0))
    score = features @ direction.astype(np.float32)
    both = score[objects | ring]
    if float(both.std()) < 1e-6:
        return None
    standard = (score - both.mean()) / both.std()
    return np.where(valid, np.clip(standard, -_SIGMA, _SIGMA), 0).astype(np.float32)


def _features(image: Image, window: int) -> Image:
    """Return the bands and their standard deviations in a window, (H, W, 2 C)."""
    size = (window, window, 1)
    mean = uniform_filter(image, size)
    variance = uniform_filter(image**2, size) - mean**2
    return np.concatenate([image, np.sqrt(np.maximum(variance, 0))], axis=-1)


def _correlate(score: Image, template: Image, reach: int) -> Image:
    """Return the sums of score times shifted template, (2 reach + 1, 2 reach + 1), no shift in the middle."""
    height, width = (fft.next_fast_len(side + reach, real=True) for side in score.shape)
    product = fft.rfft2(score, (height, width)) * np.conj(fft.rfft2(template, (height, width)))
    found = np.roll(fft.irfft2(product, (height, width)), (reach, reach), axis=(0, 1))
    return np.asarray(found[: 2 * reach + 1, : 2 * reach + 1])


def _vertex(three: npt.NDArray[np.floating]) -> float:
    """Return the place of the top of a parabola through values at -1, 0, 1."""
    bend = float(three[0] - 2 * three[1] + three[2])
    return 0.0 if bend >= 0 else float(three[0] - three[2]) / (2 * bend)
