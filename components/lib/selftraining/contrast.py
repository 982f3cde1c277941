"""Contrast of buildings with background in the images, as far as labels say which is which.

Shares and agreement between rounds cannot tell right labels from exchanged ones. The images can: buildings
are brighter and rougher than their surroundings over some metres, and the source's truth says by how much
in which band. Labels that show the opposite contrast are wrong, whatever the network's confidence. Ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

BACKGROUND, BUILDING = 0, 1

WINDOWS_PX = (9, 25)
"""Sides of the windows whose means and deviations are compared, pixels of the stored grid. Single pixels
would not do: their mean hardly differs between the classes (docs/methods/adaptation.md#collapse-guard)."""

EVERY = 6
"""Distance of the pixels looked at, along rows and columns."""

TILES = 16
"""Tiles looked at, evenly spread."""

Image = npt.NDArray[np.generic]


class ClassContrast:
    """Difference between the classes' mean textures, gathered tile by tile.

    Args:
        bands: Bands of the images.
    """

    def __init__(self, bands: int) -> None:
        features = 2 * bands * len(WINDOWS_PX)
        self._count = np.zeros(2)
        self._sum, self._squares = np.zeros((2, features)), np.zeros((2, features))

    def add(self, image: Image, labels: Image) -> None:
        """Take a tile into account.

        Args:
            image: (H, W, C); windows that reach pixels without data (0 in every band) are left out.
            labels: (H, W), 0 background, 1 building; other values are left out.
        """
        textures, whole = _textures(image)
        classes = labels[::EVERY, ::EVERY]
        for k in (BACKGROUND, BUILDING):
            values = textures[whole & (classes == k)]
            self._count[k] += len(values)
            self._sum[k] += values.sum(axis=0)
            self._squares[k] += np.square(values).sum(axis=0)

    def value(self) -> tuple[float, ...]:
        """Return building minus background per texture, in deviations of all; 0 without either class."""
        total = self._count.sum()
        if not self._count.all():
            return (0.0,) * self._sum.shape[1]
        means = self._sum / self._count[:, None]
        variance = self._squares.sum(axis=0) / total - np.square(self._sum.sum(axis=0) / total)
        difference = means[BUILDING] - means[BACKGROUND]
        return tuple(float(v) for v in difference / np.sqrt(np.maximum(variance, 1e-9)))


def contrast_similarity(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Return the cosine of two contrasts, -1 (opposite) to 1 (alike); 1 where one of them is nothing."""
    a, b = np.asarray(first), np.asarray(second)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 0 else 1.0


def looked_at(tiles: int) -> set[int]:
    """Return the positions among ``tiles`` that contrasts are taken from."""
    return set(np.linspace(0, tiles - 1, min(TILES, tiles)).round().astype(int).tolist())


def _textures(image: Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return means and deviations in windows around sampled pixels, and where the windows are all data."""
    values = np.moveaxis(image.astype(np.float64), -1, 0)
    layers: list[npt.NDArray[Any]] = []
    for side in WINDOWS_PX:
        for band in values:
            mean = uniform_filter(band, side)[::EVERY, ::EVERY]
            square = uniform_filter(np.square(band), side)[::EVERY, ::EVERY]
            layers += [mean, np.sqrt(np.maximum(square - np.square(mean), 0.0))]
    data = image.any(axis=-1).astype(np.float64)
    reach = uniform_filter(
        data, max(WINDOWS_PX), mode="constant"
    )  # beyond the border there is no data either
    return np.stack(layers, axis=-1), reach[::EVERY, ::EVERY] > 1 - 1e-6
