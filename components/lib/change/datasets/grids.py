"""Grids of two images of one ground, compared by their georeferences."""

from __future__ import annotations

import numpy as np

from components.lib.change.datasets.images import Decoded

GRID_TOLERANCE_PX = 0.5
"""Distance of two images' corners, pixels, above which their georeferences count as different."""


def grid_problem(first: tuple[str, Decoded], second: tuple[str, Decoded]) -> str | None:
    """Return how the grids of two named images differ, in words; None if they do not.

    An image without georeference is taken to lie on the other's grid.

    Args:
        first: Name and image.
        second: Name and image, of the same size.
    """
    (name, image), (other_name, other) = first, second
    if image.place is None or other.place is None:
        return None
    if image.crs != other.crs:
        return f"{name} is in {str(image.crs)[:40]}, {other_name} in {str(other.crs)[:40]}"
    height, width = image.size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
    distance = np.abs(image.place.apply(corners) - other.place.apply(corners)).max()
    pixel = np.hypot(image.place.a, image.place.d)
    if distance > GRID_TOLERANCE_PX * pixel:
        return f"{other_name} lies {distance / pixel:.1f} pixels away from {name} by georeference"
    return None
