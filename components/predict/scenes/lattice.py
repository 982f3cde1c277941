"""Lattices: grids of one pixel size whose pixels fall together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Box

TOLERANCE_PX = 0.1
"""Largest distance of a tile from its strip's lattice: the accuracy that is promised for the ground."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Lattice that grids of one pixel size share.

    Attributes:
        x_m: A west edge of pixels, metres.
        y_m: A north edge of pixels, metres.
        gsd_m: Pixel size, metres.
    """

    x_m: float
    y_m: float
    gsd_m: float

    def distance_px(self, grid: Grid) -> float:
        """Return how far corners of a grid's pixels lie beside the lattice, at most, in pixels."""
        steps = np.array([grid.x_left_m - self.x_m, self.y_m - grid.y_top_m]) / self.gsd_m
        drift = abs(grid.gsd_m / self.gsd_m - 1) * max(grid.height, grid.width)
        return float(np.abs(steps - np.rint(steps)).max() + drift)

    def box(self, grid: Grid) -> Box:
        """Return the pixels of the lattice, counted from its origin, that a grid's are nearest to."""
        top = round((self.y_m - grid.y_top_m) / self.gsd_m)
        left = round((grid.x_left_m - self.x_m) / self.gsd_m)
        return Box(top, left, top + grid.height, left + grid.width)

    def grid(self, box: Box) -> Grid:
        """Return the grid of a box of the lattice's pixels."""
        height, width = box.shape
        return Grid(
            x_left_m=self.x_m + box.left * self.gsd_m,
            y_top_m=self.y_m - box.top * self.gsd_m,
            gsd_m=self.gsd_m,
            height=height,
            width=width,
        )

    def covering(self, grid: Grid) -> Grid:
        """Return the smallest grid of the lattice's pixels that covers the ground of another grid."""
        width_m, height_m = grid.side_m
        slack = 1e-6  # a rounding of coordinates adds no pixel
        left = math.floor((grid.x_left_m - self.x_m) / self.gsd_m + slack)
        right = math.ceil((grid.x_left_m + width_m - self.x_m) / self.gsd_m - slack)
        top = math.floor((self.y_m - grid.y_top_m) / self.gsd_m + slack)
        bottom = math.ceil((self.y_m - grid.y_top_m + height_m) / self.gsd_m - slack)
        return self.grid(Box(top, left, bottom, right))


def lattice_of(grids: Sequence[Grid], tolerance_px: float = TOLERANCE_PX) -> Lattice:
    """Return the lattice that most grids lie on, in the middle of those within the tolerance of one of them.

    Positions in files are rounded: tiles drift against whole pixels by some hundredths along a strip.
    """
    gsd = sorted(grid.gsd_m for grid in grids)[len(grids) // 2]
    corners = np.array([(grid.x_left_m, -grid.y_top_m) for grid in grids]) / gsd
    beside = [corners - corner for corner in corners]
    beside = [steps - np.rint(steps) for steps in beside]
    near = [np.abs(steps).max(axis=1) <= tolerance_px for steps in beside]
    best = int(np.argmax([np.count_nonzero(one) for one in near]))
    close = beside[best][near[best]]
    x, y = ((corners[best] + (close.max(axis=0) + close.min(axis=0)) / 2) * gsd).tolist()
    return Lattice(x, -y, gsd)
