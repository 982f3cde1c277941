"""Random fields of truth and of two models' errors over real tile positions, counted as the scorer counts.

Building share, misses and false alarms are smooth random fields on cells of 50 m; every tile counts the
cells that it shows, by ground block, so that ground that many tiles show counts as often. All numbers made
from these fields are simulated; the positions are real (docs/methods/metrics.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import pandas as pd
from scipy import fft

from components.lib.metrics.blocksums import Floats
from components.lib.metrics.blockvariance import block_positions, spherical
from components.lib.scoring.blocks import block_parts

CELL_M = 50.0
"""Side of a cell of the fields, metres."""

BUILDINGS_PER_CELL = 8.0
"""Buildings on a cell that is all building, and false polygons on one that is all false alarm."""

SHARED = 0.9
"""Share of a model's error field that every model has in common: correlation of two models' errors 0.81."""

Generator: TypeAlias = np.random.Generator
Sums: TypeAlias = Mapping[str, Floats]
"""Counts by name, (blocks, draws)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Tiles, cells and blocks of the test ground.

    Attributes:
        looks: How often the tiles show each cell in each block, (blocks, rows * columns).
        positions: Column and row of every block in the grid of blocks, (blocks, 2).
        shape: Rows and columns of cells.
    """

    looks: Floats
    positions: Floats
    shape: tuple[int, int]


def ground_of(tiles: pd.DataFrame, block_m: float, *, gsd_m: float, side_px: int) -> Ground:
    """Return the ground that tiles cover.

    Args:
        tiles: ``x_left_m`` and ``y_top_m`` per tile, EPSG:32631 metres.
        block_m: Side of a ground block, metres.
        gsd_m: Pixel size, metres.
        side_px: Side of a tile, pixels.
    """
    west = CELL_M * np.floor(tiles["x_left_m"].min() / CELL_M)
    north = CELL_M * np.ceil(tiles["y_top_m"].max() / CELL_M)
    side = gsd_m * side_px
    columns = int(np.ceil((tiles["x_left_m"].max() + side - west) / CELL_M))
    rows = int(np.ceil((north - tiles["y_top_m"].min() + side) / CELL_M))
    looks: dict[str, Floats] = {}
    for x, y in zip(tiles["x_left_m"], tiles["y_top_m"], strict=True):
        for part in block_parts(
            x_left_m=x,
            y_top_m=y,
            gsd_m=gsd_m,
            height=side_px,
            width=side_px,
            orientation=0,
            block_m=block_m,
        ):
            down = _shares(north - y, part.rows, gsd_m, rows)
            across = _shares(x - west, part.cols, gsd_m, columns)
            looks[part.block] = looks.get(part.block, 0.0) + np.outer(down, across).ravel()
    names = sorted(looks)
    return Ground(np.stack([looks[name] for name in names]), block_positions(names), (rows, columns))


def _shares(origin: float, pixels: slice, gsd_m: float, cells: int) -> Floats:
    """Return the share of each cell that a run of pixels covers along one axis, (cells,)."""
    first, last = origin + gsd_m * pixels.start, origin + gsd_m * pixels.stop
    edges = CELL_M * np.arange(cells + 1)
    overlap = np.minimum(last, edges[1:]) - np.maximum(first, edges[:-1])
    return cast("Floats", np.clip(overlap, 0.0, None) / CELL_M)


class Fields:
    """Gaussian random fields with the spherical correlation, by circulant embedding.

    Args:
        shape: Rows and columns of cells.
        range_m: Distance beyond which two points do not correlate, metres.
    """

    def __init__(self, shape: tuple[int, int], range_m: float) -> None:
        self.shape = shape
        # Padded by the range: the field must not meet itself around the edge.
        self._padded = tuple(fft.next_fast_len(n + int(np.ceil(range_m / CELL_M))) for n in shape)
        near = [np.minimum(np.arange(n), n - np.arange(n)) * CELL_M for n in self._padded]
        correlation = spherical(np.hypot(near[0][:, None], near[1][None]) / range_m)
        self._amplitude = np.sqrt(np.clip(fft.fft2(correlation).real, 0.0, None))

    def draw(self, rng: Generator, count: int) -> Floats:
        """Return independent fields of mean 0 and variance 1, (cells, count)."""
        rows, columns = self.shape
        half = (count + 1) // 2
        noise = rng.normal(size=(half, *self._padded)) + 1j * rng.normal(size=(half, *self._padded))
        field = fft.ifft2(self._amplitude * noise) * np.sqrt(np.prod(self._padded))
        both = np.concatenate([field.real, field.imag])[:count, :rows, :columns]
        return cast("Floats", both.reshape(count, -1).T)


@dataclass(frozen=True, slots=True)
class Place:
    """Ground that all models meet: building share and shared difficulty, fields of (cells, draws)."""

    share: Floats
    misses: Floats
    false: Floats

    @classmethod
    def drawn(cls, fields: Fields, rng: Generator, draws: int) -> Place:
        """Return independent draws."""
        return cls(*(fields.draw(rng, draws) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Rates:
    """Building share, share of it that is missed, share of the rest that is a false alarm."""

    share: Floats
    missed: Floats
    false: Floats

    def pixels(self) -> dict[str, Floats]:
        """Return expected pixel counts per unit of area."""
        tp, fp = self.share * (1.0 - self.missed), (1.0 - self.share) * self.false
        return {
            "px_tp": tp,
            "px_fp": fp,
            "px_fn": self.share - tp,
            "px_tn": 1.0 - self.share - fp,
        }

    def buildings(self) -> dict[str, Floats]:
        """Return expected building counts, as shares of ``BUILDINGS_PER_CELL``."""
        pixels = self.pixels()
        return {name: pixels[f"px_{name}"] for name in ("tp", "fp", "fn")}


def rates(place: Place, own: tuple[Floats, Floats], shift: Floats | float = 0.0) -> Rates:
    """Return a model's rates on a place.

    Args:
        place: Building share and shared difficulty.
        own: The model's own fields of misses and false alarms.
        shift: What a training adds to the log-odds of both errors; negative is better.
    """
    alone = np.sqrt(1.0 - SHARED**2)
    missed = _logistic(-0.5 + 0.8 * (SHARED * place.misses + alone * own[0]) - 0.3 * place.share + shift)
    false = _logistic(-2.2 + 0.8 * (SHARED * place.false + alone * own[1]) + 0.3 * place.share + shift)
    return Rates(_share(place), missed, false)


def _share(place: Place) -> Floats:
    return _logistic(-1.7 + place.share)


def pixel_sums(ground: Ground, found: Rates) -> dict[str, Floats]:
    """Return pixel counts by block, every cell as often as tiles show it, (blocks, draws)."""
    return {name: ground.looks @ values for name, values in found.pixels().items()}


def building_sums(ground: Ground, found: Rates, standing: Floats, rng: Generator) -> dict[str, Floats]:
    """Return building counts by block: every building is found or not in all looks alike.

    Args:
        ground: Tiles, cells and blocks.
        found: A model's rates.
        standing: Buildings per cell, from :func:`buildings`, the same for all models.
        rng: Draws which of them are found.
    """
    hits = rng.binomial(standing.astype(np.int64), 1.0 - found.missed).astype(np.float64)
    false = rng.poisson(BUILDINGS_PER_CELL * (1.0 - found.share) * found.false).astype(np.float64)
    counted = {"tp": hits, "fp": false, "fn": standing - hits}
    return {name: ground.looks @ values for name, values in counted.items()}


def buildings(place: Place, rng: Generator) -> Floats:
    """Return buildings per cell, (cells, draws)."""
    return rng.poisson(BUILDINGS_PER_CELL * _share(place)).astype(np.float64)


def expected_counts(shift: float = 0.0) -> dict[str, Floats]:
    """Return the means of all counts over ever more ground, (1,): what an interval ought to cover."""
    rng = np.random.default_rng(0)
    # A million independent places: the mean is known to four digits.
    a, b, c, d, e = rng.normal(size=(5, 1_000_000, 1))
    found = rates(Place(a, b, c), (d, e), shift)
    counts = {**found.pixels(), **found.buildings()}
    return {name: np.asarray(values.mean(axis=0), np.float64) for name, values in counts.items()}


def _logistic(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-values))
