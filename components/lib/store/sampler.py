"""Random crops as a pure function of seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError, ParameterError
from components.lib.store.layer import StoredLayer
from components.lib.store.store import Store

Crops = npt.NDArray[Any]
"""(..., C) of a layer's own number format."""
Item = TypeVar("Item", bound=np.generic)

CANDIDATES = 4
"""Crop positions drawn for each tile; the first with enough data is taken."""

MIN_DATA_SHARE = 0.2
"""Share of valid pixels that makes a crop worth training on; tiles are black where the strip ends."""

_ITEMS = {size: np.dtype(f"u{size}") for size in (1, 4, 8)}
"""One item of as many bytes as a pixel."""

_PROBES = 32
"""Pixels looked at along each side to judge a candidate: 1/256 of a 512 crop is read."""


@dataclass(frozen=True, slots=True)
class Window:
    """Position and turn of one crop, the same for every layer.

    Attributes:
        row: Row in the sensor's layers.
        y: First pixel row.
        x: First pixel column.
        flip: Mirrored left to right.
        turns: Quarter turns counter-clockwise, applied after the mirroring.
    """

    row: int
    y: int
    x: int
    flip: bool
    turns: int


class CropSampler:
    """Batches of crops, each a pure function of (seed, step).

    Random numbers come from a counter-based generator keyed by seed and step, so resuming needs only the
    step, and threads may ask for batches in any order. Tiles are drawn without replacement: every tile is
    used once before any is used again. A crop that is mostly no-data is drawn again, ``CANDIDATES`` times
    at most, judged by the SAR image, or the optical one where SAR is not asked for (both are black where
    there are no data).

    Pixels leave as they are stored, uint8 (float16 SAR where prepared so): normalising belongs on the device
    (docs/training-speed.md).

    Args:
        store: The store.
        sensor: Sensor of the tiles.
        rows: Rows to draw from.
        layers: Layers to deliver.
        crop: Side of a crop, pixels; at most the tile's side.
        batch: Crops per batch.
        seed: Seed of the whole sequence, 0 to 2^64 - 1.
        flip: Mirror left to right with probability one half. Up-down mirroring is not offered: it would put
            radar layover on the wrong side (docs/methods/spacenet6.md).
        rot90: Turn by a random number of quarter turns; for optical images only, for the same reason.

    Raises:
        ParameterError: If the crop does not fit into a tile.
        BadDataError: If ``rows`` is empty.
    """

    def __init__(
        self,
        store: Store,
        sensor: str,
        rows: npt.NDArray[np.integer],
        layers: Sequence[str] = ("sar", "optical", "target"),
        *,
        crop: int,
        batch: int,
        seed: int,
        flip: bool = True,
        rot90: bool = False,
    ) -> None:
        if len(rows) == 0:
            raise BadDataError(
                f"sensor {sensor} has no tile to draw crops from",
                next_step="see the splits in reports/prepare/details.json; a larger world fills them",
            )
        self.rows = np.asarray(rows, dtype=np.int64)
        self.layers = {name: _Plane(store.layer(sensor, name)) for name in layers}
        self.crop, self.batch_size, self.seed = crop, batch, seed
        self.flip, self.rot90 = flip, rot90
        self._probe = self.layers.get("sar") or self.layers.get("optical")
        self._height, self._width = next(iter(self.layers.values())).pixels.shape[1:3]
        if crop > min(self._height, self._width):
            raise ParameterError(
                f"crop {crop} does not fit into {sensor}'s tiles of {self._height} x {self._width} pixels",
                next_step="set training.crop to at most the tile's side",
            )
        self._permutation = lru_cache(maxsize=2)(self._draw_permutation)

    def batch(self, step: int, out: dict[str, Crops] | None = None) -> dict[str, Crops]:
        """Read the batch of one step.

        Args:
            step: Step counted from 0.
            out: Arrays to write into, as an earlier call returned them; allocated if None.

        Returns:
            For each layer (batch, crop, crop, C) of its own number format, C-contiguous.
        """
        out = out or {
            name: np.empty((self.batch_size, self.crop, self.crop, plane.channels), plane.dtype)
            for name, plane in self.layers.items()
        }
        windows = self.windows(step)
        for name, plane in self.layers.items():
            for crop, window in zip(out[name], windows, strict=True):
                plane.write(window, crop)
        return out

    def windows(self, step: int) -> list[Window]:
        """Draw the windows of one step."""
        random = keyed_generator(self.seed, 2 * step)
        shape = (self.batch_size, CANDIDATES)
        ys = random.integers(0, self._height - self.crop + 1, shape)
        xs = random.integers(0, self._width - self.crop + 1, shape)
        flips = random.integers(0, 2, self.batch_size)
        turns = random.integers(0, 4, self.batch_size)
        windows = []
        for i in range(self.batch_size):
            row = self._row(step * self.batch_size + i)
            y, x = self._position(row, ys[i], xs[i])
            windows.append(
                Window(row, y, x, bool(self.flip and flips[i]), int(turns[i]) if self.rot90 else 0)
            )
        return windows

    def _row(self, position: int) -> int:
        epoch, place = divmod(position, len(self.rows))
        return int(self._permutation(epoch)[place])

    def _draw_permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        # Odd counters are epochs, even ones steps: the two never share a stream.
        return keyed_generator(self.seed, 2 * epoch + 1).permutation(self.rows)

    def _position(self, row: int, ys: npt.NDArray[np.int64], xs: npt.NDArray[np.int64]) -> tuple[int, int]:
        for y, x in zip(ys, xs, strict=True):
            if self._probe is None or self._probe.data_share(row, y, x, self.crop) >= MIN_DATA_SHARE:
                break
        return int(y), int(x)


class _Plane:
    """Layer as an array of single items, because mirroring (…, C) numbers copies them one by one.

    Four channels are one item per pixel, 32 bits of uint8 (15 times faster when mirrored) or 64 of float16.
    """

    def __init__(self, layer: StoredLayer) -> None:
        self.channels, self.dtype = layer.shape[-1], layer.dtype
        self.pixels = layer
        self._item = _ITEMS[self.channels * self.dtype.itemsize]

    def data_share(self, row: int, y: int, x: int, crop: int) -> float:
        """Share of valid pixels of a crop, from a lattice of samples."""
        every = max(1, crop // _PROBES)
        # No data are zero bits in every channel, so the item tells.
        probe = self._items(row)[y : y + crop : every, x : x + crop : every]
        return np.count_nonzero(probe) / probe.size

    def write(self, window: Window, out: Crops) -> None:
        """Copy a window into ``out``, (crop, crop, C)."""
        crop = out.shape[0]
        items = self._items(window.row)[window.y : window.y + crop, window.x : window.x + crop]
        out.view(self._item)[..., 0] = _turned(items, window)

    def _items(self, row: int) -> Crops:
        """Return a tile as single items, (H, W)."""
        return self.pixels.tile(row).view(self._item)[..., 0]


def _mirrored(pixels: npt.NDArray[Item]) -> npt.NDArray[Item]:
    """Items (H, W) mirrored left to right; bytes eight at a time where the width allows it."""
    if pixels.itemsize > 1 or pixels.shape[1] % 8:
        return pixels[:, ::-1]
    turned: npt.NDArray[Item] = pixels.view(np.uint64)[:, ::-1].byteswap().view(pixels.dtype)
    return turned


def _turned(pixels: npt.NDArray[Item], window: Window) -> npt.NDArray[Item]:
    if window.flip:
        pixels = _mirrored(pixels)
    return np.rot90(pixels, window.turns) if window.turns else pixels


def keyed_generator(seed: int, counter: int) -> np.random.Generator:
    """Return random numbers that are a pure function of seed and counter, both 0 to 2^64 - 1."""
    key = np.array([seed, counter], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
