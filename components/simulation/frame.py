"""A north-up raster grid in EPSG:32631 metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.lib.datasets.spacenet6 import CAPELLA_AIRBORNE

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bounds = tuple[float, float, float, float]
"""West, south, east, north in metres."""

GSD_M = CAPELLA_AIRBORNE.gsd_m
"""Pixel size of the real release; the grid everything is drawn on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Place of a raster on the ground.

    Attributes:
        x_left: Left edge, metres.
        y_top: Top edge, metres.
        gsd: Pixel size, metres.
        rows: Height, pixels.
        cols: Width, pixels.
    """

    x_left: float
    y_top: float
    gsd: float
    rows: int
    cols: int

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north in metres."""
        return (
            self.x_left,
            self.y_top - self.rows * self.gsd,
            self.x_left + self.cols * self.gsd,
            self.y_top,
        )

    def columns(self, x: Double) -> Double:
        """Return the fractional column (0 = left edge) of eastings."""
        return (x - self.x_left) / self.gsd

    def row_of(self, y: Double) -> Double:
        """Return the fractional row (0 = top edge) of northings."""
        return (self.y_top - y) / self.gsd

    def window(self, row: int, rows: int) -> Frame:
        """Return the part of ``rows`` rows beginning at ``row``."""
        return Frame(self.x_left, self.y_top - row * self.gsd, self.gsd, rows, self.cols)

    def window_of(self, bounds: Bounds) -> tuple[slice, slice] | None:
        """Return row and column slices covering ``bounds``, clipped; None if they do not meet the raster."""
        west, south, east, north = bounds
        top = max(int(np.floor((self.y_top - north) / self.gsd)), 0)
        bottom = min(int(np.ceil((self.y_top - south) / self.gsd)), self.rows)
        left = max(int(np.floor((west - self.x_left) / self.gsd)), 0)
        right = min(int(np.ceil((east - self.x_left) / self.gsd)), self.cols)
        if top >= bottom or left >= right:
            return None
        return slice(top, bottom), slice(left, right)

    def centres(self, rows: slice, cols: slice) -> tuple[Float, Float]:
        """Return a window's pixel centres relative to the frame's corner: x (1, W) east, y (H, 1) north.

        Relative to the corner because float32 cannot hold a northing to the centimetre.
        """
        x: Float = (np.arange(cols.start, cols.stop, dtype=np.float32) + np.float32(0.5)) * np.float32(
            self.gsd
        )
        y: Float = (np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5)) * np.float32(
            -self.gsd
        )
        return x[None, :], y[:, None]
