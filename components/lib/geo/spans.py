"""Lines of a width and polygons to masks, by horizontal spans: exact, without a loop over objects.

A pixel is set where its centre lies inside, as in :mod:`components.lib.geo.rasterise`. A thick line is a
capsule, the points within half its width of a segment, ends and bends round. Capsules are convex, so a row
of pixels meets one in a single span; a polygon is met in as many spans as its rings cross the row in pairs.
That is exact to the pixel and needs no loop over objects, where GDAL is called for each shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

Mask = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_HELD = 1_000_000
"""Pairs of segment and row, or pixels of spans, that are held at a time: some 100 MB."""


def segments_of(
    geometry: npt.NDArray[np.object_],
) -> tuple[Float, npt.NDArray[np.intp]]:
    """Return the straight pieces of lines and rings.

    Args:
        geometry: (N,) lines, polygons, or collections of these.

    Returns:
        (S, 4) float64 x and y of both ends, and (S,) the number of the geometry.
    """
    parts, owner = shapely.get_parts(geometry, return_index=True)
    surface = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    rings, ring_owner = shapely.get_rings(parts[surface], return_index=True)
    lines = np.concatenate([parts[~surface], rings])
    owner = np.concatenate([owner[~surface], owner[surface][ring_owner]])
    xy, line = shapely.get_coordinates(lines, return_index=True)
    inside = line[1:] == line[:-1]
    return np.hstack((xy[:-1], xy[1:]))[inside], owner[line[:-1][inside]]


def draw_lines(ends: Float, radius: Float, height: int, width: int) -> Mask:
    """Return where pixel centres lie within a radius of segments; nothing for no segments.

    Args:
        ends: (S, 4) x and y of both ends, pixels, (0, 0) the outer corner of the first pixel.
        radius: (S,) pixels.
        height: Rows.
        width: Columns.

    Returns:
        (height, width) bool.
    """
    canvas = _Canvas(height, width)
    low = np.minimum(ends[:, 1], ends[:, 3]) - radius
    high = np.maximum(ends[:, 1], ends[:, 3]) + radius
    seen = (np.maximum(ends[:, 0], ends[:, 2]) + radius > 0) & (
        np.minimum(ends[:, 0], ends[:, 2]) - radius < width
    )
    for segment, row in _rows(low, high, seen, height):
        left, right = _capsule(ends[segment], radius[segment], row.astype(np.float64) + 0.5)
        canvas.add(row, left, right)
    return canvas.mask


def draw_polygons(ends: Float, owner: npt.NDArray[np.intp], height: int, width: int) -> Mask:
    """Return where pixel centres lie inside of polygons, holes left out.

    Args:
        ends: (S, 4) sides of all rings, pixels, as :func:`segments_of` gives them.
        owner: (S,) number of the polygon of each side.
        height: Rows.
        width: Columns.

    Returns:
        (height, width) bool. A row of centres that runs through a corner crosses the side below it alone.
    """
    canvas = _Canvas(height, width)
    low, high = np.minimum(ends[:, 1], ends[:, 3]), np.maximum(ends[:, 1], ends[:, 3])
    with np.errstate(divide="ignore", invalid="ignore"):  # level sides, which no row crosses
        slope = (ends[:, 2] - ends[:, 0]) / (ends[:, 3] - ends[:, 1])
    start = ends[:, 0] + (0.5 - ends[:, 1]) * slope
    keys, across = [], []
    for side, row in _rows(low, high, low < high, height, half_open=True):
        keys.append(owner[side].astype(np.int64) * height + row)
        across.append(start[side] + row * slope[side])
    if keys:
        key, x = np.concatenate(keys), np.concatenate(across)
        order = np.lexsort((x, key))
        row, x = key[order[::2]] % height, x[order]
        # Rings are closed: each row crosses those of one polygon an even number of times.
        canvas.add(row, x[::2], x[1::2])
    return canvas.mask


class _Canvas:
    """Rows of pixels that are filled span by span."""

    def __init__(self, height: int, width: int) -> None:
        self._width = width
        self.mask: Mask = np.zeros((height, width), dtype=bool)

    def add(self, row: Ints, left: Float, right: Float) -> None:
        """Fill the pixels whose centres lie from ``left`` to ``right``; nothing where these cross."""
        first = np.ceil(np.clip(left, -1.0, self._width + 1.0) - 0.5).astype(np.int64)
        after = np.floor(np.clip(right, -1.0, self._width + 1.0) - 0.5).astype(np.int64) + 1
        first, after = np.maximum(first, 0), np.minimum(after, self._width)
        counts = np.maximum(after - first, 0)
        for begin, end in _pieces(counts):
            own = counts[begin:end]
            starts = row[begin:end] * self._width + first[begin:end] - (np.cumsum(own) - own)
            self.mask.reshape(-1)[np.repeat(starts, own) + np.arange(own.sum())] = True


def _rows(
    low: Float, high: Float, seen: Mask, height: int, *, half_open: bool = False
) -> Iterator[tuple[npt.NDArray[np.intp], Ints]]:
    """Yield numbers of segments and of rows whose centres lie from ``low`` to ``high``, in pieces.

    Half open, a centre at ``high`` is left out.
    """
    first = np.ceil(np.clip(low, -1.0, height + 1.0) - 0.5).astype(np.int64)
    ends = np.clip(high, -1.0, height + 1.0) - 0.5
    last = (np.ceil(ends) - 1 if half_open else np.floor(ends)).astype(np.int64)
    first, last = np.maximum(first, 0), np.minimum(last, height - 1)
    chosen = np.flatnonzero(seen & (first <= last))
    counts = (last - first + 1)[chosen]
    for begin, end in _pieces(counts):
        number, own = chosen[begin:end], counts[begin:end]
        offset = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
        segment = np.repeat(number, own)
        yield segment, first[segment] + offset


def _pieces(counts: Ints) -> Iterator[tuple[int, int]]:
    """Yield begins and ends of pieces of some ``_HELD`` things each; entry i has ``counts[i]`` of them."""
    total = np.cumsum(counts)
    begins = np.searchsorted(total, np.arange(0, counts.sum(), _HELD), side="right").tolist()
    yield from pairwise([*begins, len(counts)])


def _capsule(ends: Float, radius: Float, y: Float) -> tuple[Float, Float]:
    """Return the least and largest x of capsules at the height ``y``, each (K,); crossed where there is none.

    The convex hull of what the two discs and the rectangle between them have at that height.
    """
    x0, y0, x1, y1 = ends.T
    left, right = np.full(len(y), np.inf), np.full(len(y), -np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for x, centre in ((x0, y0), (x1, y1)):
            reach = np.sqrt(radius**2 - (y - centre) ** 2)  # NaN beyond the disc
            left, right = np.fmin(left, x - reach), np.fmax(right, x + reach)
        dx, dy = x1 - x0, y1 - y0
        length = np.hypot(dx, dy)
        ux, uy, above = dx / length, dy / length, y - y0
        # x - x0 = s such that 0 <= s ux + above uy <= length and |above ux - s uy| <= radius.
        along = _between(-above * uy / ux, (length - above * uy) / ux, ux == 0, above * uy, length)
        lateral = _between(
            (above * ux - radius) / uy, (above * ux + radius) / uy, uy == 0, above * ux + radius, 2 * radius
        )
    low, high = np.fmax(along[0], lateral[0]), np.fmin(along[1], lateral[1])
    inside = (low <= high) & (length > 0)
    return np.where(inside, np.minimum(left, x0 + low), left), np.where(
        inside, np.maximum(right, x0 + high), right
    )


def _between(one: Float, other: Float, free: Mask, value: Float, most: Float) -> tuple[Float, Float]:
    """Return the interval between two bounds; where ``free``, all or nothing by 0 <= value <= most."""
    allowed = (value >= 0) & (value <= most)
    low = np.where(free, np.where(allowed, -np.inf, np.inf), np.minimum(one, other))
    high = np.where(free, np.where(allowed, np.inf, -np.inf), np.maximum(one, other))
    return low, high
