"""Windows of blocks in the order of prediction: their pixels in full batches, and what is kept for later."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from components.lib.geo.orientation import align
from components.lib.mapping.blending import FineLevels
from components.lib.mapping.blocks import Blocks, Box, Windows
from components.lib.mapping.scene import Pixels, Scene

Mask = npt.NDArray[np.bool_]
Source = Literal["predicted", "kept", "empty"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One window's share in one block.

    Attributes:
        block: Number of the block.
        look: Number of the look.
        window: Pixels of the window.
        source: ``predicted`` if it has a row in its batch, ``kept`` if it was predicted for an earlier block,
            ``empty`` if it has no data.
        valid: Pixels with data, north up; None if all have, and for other sources than ``predicted``.
        needed: True if a later block takes it from what is kept.
        ends_look: True for the look's last window in this block.
        ends_block: True for the last window of the last look.
    """

    block: int
    look: int
    window: Box
    source: Source
    valid: Mask | None
    needed: bool
    ends_look: bool
    ends_block: bool


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pixels for one pass of the network, and the parts up to there.

    Attributes:
        pixels: (batch, side, side, 4), as the network sees them; rows beyond the predicted parts are 0.
        sensor: Sensor of all rows.
        parts: In the order in which they are blended; the predicted ones are the rows in this order.
    """

    pixels: Pixels
    sensor: str
    parts: list[Part]


class WindowReader:
    """Reader of the windows of many blocks.

    Args:
        looks: Looks at the same ground.
        blocks: Division of the scene.
        numbers: Blocks in the order in which they are wanted.
        windows: Lattice of the windows.
        most_kept: Predictions that may be kept for later blocks at any time; others are predicted again.
    """

    def __init__(
        self,
        looks: Sequence[Scene],
        blocks: Blocks,
        numbers: Sequence[int],
        windows: Windows,
        most_kept: int,
    ) -> None:
        self.looks, self.blocks, self.windows = looks, blocks, windows
        self.numbers, self.most_kept = numbers, most_kept
        self.last_place = {number: place for place, number in enumerate(numbers)}
        self.kept: set[tuple[int, Box]] = set()

    def batches(self, size: int) -> Generator[Batch, None, None]:
        """Yield all batches, each of ``size`` rows: another size may change a prediction's last bits."""
        rows: list[Pixels] = []
        parts: list[Part] = []
        sensor = self.looks[0].facts.sensor
        for part, pixels in self._parts():
            own = self.looks[part.look].facts.sensor
            if pixels is not None and rows and own != sensor:
                yield self._batch(rows, size, sensor, parts)
                rows, parts = [], []
            parts.append(part)
            if pixels is not None:
                sensor = own
                rows.append(pixels)
            if len(rows) == size or (not rows and part.ends_block):
                yield self._batch(rows, size, sensor, parts)
                rows, parts = [], []
        if parts:
            yield self._batch(rows, size, sensor, parts)

    def _batch(self, rows: list[Pixels], size: int, sensor: str, parts: list[Part]) -> Batch:
        side = self.windows.side
        predicted = (part for part in parts if part.source == "predicted")
        turned_rows = [
            align(window, self.looks[part.look].facts.orientation)
            for window, part in zip(rows, predicted, strict=True)
        ]
        if len(turned_rows) == size == 1:
            return Batch(np.ascontiguousarray(turned_rows[0])[np.newaxis], sensor, parts)
        pixels = np.zeros((size, side, side, 4), dtype=np.uint8)
        for row, window in enumerate(turned_rows):
            pixels[row] = window
        return Batch(pixels, sensor, parts)

    def _parts(self) -> Generator[tuple[Part, Pixels | None], None, None]:
        """Yield every part, with its pixels if it is to be predicted."""
        for place, number in enumerate(self.numbers):
            windows = self.windows.touching(self.blocks.box(number))
            for look in range(len(self.looks)):
                for window in windows:
                    ends_look = window is windows[-1]
                    yield self._part(place, look, window, ends_look)

    def _part(self, place: int, look: int, window: Box, ends_look: bool) -> tuple[Part, Pixels | None]:
        def part(source: Source, valid: Mask | None = None) -> Part:
            needed = source != "empty" and self._keep(look, window, place)
            ends_block = ends_look and look == len(self.looks) - 1
            return Part(self.numbers[place], look, window, source, valid, needed, ends_look, ends_block)

        if (look, window) in self.kept:
            return part("kept"), None
        pixels = np.ascontiguousarray(self.looks[look].read(window))
        # A pixel's four bands at once: a quarter of the comparisons.
        valid = pixels.view(np.uint32)[..., 0] != 0
        if not valid.any():
            return part("empty"), None
        return part("predicted", None if valid.all() else valid), pixels

    def _keep(self, look: int, window: Box, place: int) -> bool:
        """Decide whether a later block takes the window from what is kept."""
        key = (look, window)
        self.kept.discard(key)
        later = any(self.last_place.get(n, -1) > place for n in self._blocks_of(window))
        if later and len(self.kept) < self.most_kept:
            self.kept.add(key)
            return True
        return False

    def _blocks_of(self, window: Box) -> Generator[int, None, None]:
        """Yield the numbers of the blocks that share pixels with a window."""
        blocks = self.blocks
        last_row = min((window.bottom - 1) // blocks.side, blocks.rows - 1)
        last_column = min((window.right - 1) // blocks.side, blocks.columns - 1)
        for row in range(window.top // blocks.side, last_row + 1):
            for column in range(window.left // blocks.side, last_column + 1):
                yield row * blocks.columns + column


def turned(fine: FineLevels, orientation: int) -> FineLevels:
    """Turn predictions (bands, h, w) as :func:`align` turns the pixels they were made from."""
    return np.moveaxis(align(np.moveaxis(fine, 0, -1), orientation), -1, 0)
