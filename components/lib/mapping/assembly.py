"""Joining of pieces across blocks: each building is drawn once, when nothing of it can still come."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError
from components.lib.mapping.blocks import Blocks, Box
from components.lib.mapping.buildings import Buildings, concatenate
from components.lib.mapping.drawing import Drawer, Part
from components.lib.mapping.levels import Levels
from components.lib.mapping.pieces import DrawnBlock

Integers = npt.NDArray[np.int64]

_AROUND = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])
_NAMED = 10


@dataclass(slots=True, eq=False)
class _Joined:
    """Pieces that belong together, so far.

    Attributes:
        box: Smallest box of the scene that holds them.
        rows: Rows of their pixels in the scene, one array a piece; likewise the columns and levels.
        rim: Numbers of their pixels at borders, keys of ``Assembly._rim``.
        waits_for: Blocks that they touch and that have not been added.
        into: The part that took these pieces over.
    """

    box: Box
    rows: list[npt.NDArray[np.int32]]
    columns: list[npt.NDArray[np.int32]]
    levels: list[Levels]
    rim: list[int] = field(default_factory=list)
    waits_for: set[int] = field(default_factory=set)
    into: _Joined | None = None

    def take(self, other: _Joined) -> None:
        """Take the pieces of ``other`` over."""
        self.box = Box.around([self.box, other.box])
        self.rows += other.rows
        self.columns += other.columns
        self.levels += other.levels
        self.rim += other.rim
        self.waits_for |= other.waits_for
        other.rows, other.columns, other.levels, other.rim = [], [], [], []
        other.into = self

    @property
    def pixels(self) -> int:
        """Pixels of all pieces."""
        return sum(len(rows) for rows in self.rows)

    def part(self) -> Part:
        """Return all pixels in their box."""
        levels = np.zeros((len(self.levels[0]), *self.box.shape), dtype=np.uint8)
        mask = np.zeros(self.box.shape, dtype=bool)
        for rows, columns, values in zip(self.rows, self.columns, self.levels, strict=True):
            y, x = rows - self.box.top, columns - self.box.left
            levels[:, y, x] = values
            mask[y, x] = True
        return Part(self.box, levels, mask)


class Assembly:
    """Buildings of a scene from its blocks, in whatever order they come.

    What is held are pieces that touch a block still missing: memory grows with the border between the blocks
    that came and those that did not, never with the area.

    Args:
        blocks: Division of the scene.
        drawer: Rules of drawing, the same that the blocks were drawn by.
    """

    def __init__(self, blocks: Blocks, drawer: Drawer) -> None:
        self._blocks = blocks
        self._drawer = drawer
        self._added: set[int] = set()
        self._rim: dict[int, _Joined] = {}
        self._waiting: dict[int, list[_Joined]] = {}
        self._held_px = 0

    @property
    def held_px(self) -> int:
        """Pixels of pieces that wait for another block."""
        return self._held_px

    def add(self, number: int, drawn: DrawnBlock) -> Buildings:
        """Take a block, and return the buildings that are complete with it.

        Args:
            number: Block; each is added once.
            drawn: Its drawing (:func:`~components.lib.mapping.pieces.draw_block`).

        Raises:
            BadDataError: If the drawing is of another division of the scene, or pieces join to a part that is
                too large to be drawn (:meth:`Drawer.check_size`).
        """
        if number in self._added:
            raise ValueError(f"block {number} was added before")
        if drawn.box != self._blocks.box(number):
            raise BadDataError(
                f"block {number} was drawn as {drawn.box}, but is {self._blocks.box(number)} here",
                next_step="remove the work folder of this map, and map the scene again",
            )
        self._added.add(number)
        new = self._joined(drawn)
        self._held_px += len(drawn.pieces.positions)
        touched = [*self._waiting.pop(number, ()), *new]
        parts = self._complete(number, touched)
        return concatenate([drawn.buildings, self._drawer.draw_parts(parts)])

    def finish(self) -> None:
        """Check that every block has been added.

        Raises:
            BadDataError: If blocks are missing.
        """
        missing = [number for number in range(len(self._blocks)) if number not in self._added]
        if missing:
            named = ", ".join(map(str, islice(missing, _NAMED)))
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise BadDataError(
                f"{len(missing)} of {len(self._blocks)} blocks have not been mapped: {named}{more}",
                next_step="run the mapping of this scene again: it goes on at the first missing block",
            )

    def _complete(self, number: int, touched: list[_Joined]) -> list[Part]:
        """Return the parts of ``touched`` that wait for no block any more, and forget them."""
        complete = []
        for joined in dict.fromkeys(map(_root, touched)):
            joined.waits_for.discard(number)
            if joined.waits_for:
                continue
            for key in joined.rim:
                del self._rim[key]
            self._held_px -= joined.pixels
            complete.append(joined.part())
        return complete

    def _joined(self, drawn: DrawnBlock) -> list[_Joined]:
        """Return a block's pieces, joined with those of its neighbours."""
        pieces = _pieces(drawn)
        if not pieces:
            return pieces
        owner, here, there, block = self._rim_pixels(drawn)
        for index, key in dict.fromkeys(zip(owner.tolist(), here.tolist(), strict=True)):
            pieces[index].rim.append(key)
            self._rim[key] = pieces[index]
        for index, neighbour in dict.fromkeys(zip(owner.tolist(), block.tolist(), strict=True)):
            if neighbour not in self._added:
                pieces[index].waits_for.add(neighbour)
                self._waiting.setdefault(neighbour, []).append(pieces[index])
        for index, key in zip(owner.tolist(), there.tolist(), strict=True):
            if key in self._rim:
                self._unite(_root(pieces[index]), _root(self._rim[key]))
        return pieces

    def _unite(self, a: _Joined, b: _Joined) -> None:
        if a is b:
            return
        if len(a.rows) < len(b.rows):
            a, b = b, a
        a.take(b)
        self._drawer.check_size(a.box)

    def _rim_pixels(self, drawn: DrawnBlock) -> tuple[Integers, Integers, Integers, Integers]:
        """Return each pair of a piece's pixel and a pixel of another block that it touches, also at a corner.

        Returns:
            (P,) each: index of the piece, number of its pixel in the scene, number of the other pixel, block
            of the other pixel.
        """
        scene_height, scene_width = self._blocks.shape
        box, (height, width) = drawn.box, drawn.box.shape
        y, x = np.divmod(drawn.pieces.positions.astype(np.int64), width)
        edge = np.flatnonzero((y == 0) | (y == height - 1) | (x == 0) | (x == width - 1))
        owner = np.repeat(np.arange(len(drawn.pieces)), drawn.pieces.sizes)[edge]
        y, x = y[edge] + box.top, x[edge] + box.left
        ny, nx = y[:, np.newaxis] + _AROUND[:, 0], x[:, np.newaxis] + _AROUND[:, 1]
        inside = (ny >= 0) & (ny < scene_height) & (nx >= 0) & (nx < scene_width)
        own = (ny >= box.top) & (ny < box.bottom) & (nx >= box.left) & (nx < box.right)
        pixel, _ = np.nonzero(inside & ~own)
        ny, nx = ny[inside & ~own], nx[inside & ~own]
        block = ny // self._blocks.side * self._blocks.columns + nx // self._blocks.side
        return owner[pixel], (y * scene_width + x)[pixel], ny * scene_width + nx, block


def _root(joined: _Joined) -> _Joined:
    while joined.into is not None:
        joined = joined.into
    return joined


def _pieces(drawn: DrawnBlock) -> list[_Joined]:
    """Return the pieces of a block, one by one."""
    pieces = drawn.pieces
    y, x = np.divmod(pieces.positions, np.int32(drawn.box.shape[1]))
    rows, columns = y + np.int32(drawn.box.top), x + np.int32(drawn.box.left)
    ends = np.cumsum(pieces.sizes)
    found = []
    for start, end in zip((ends - pieces.sizes).tolist(), ends.tolist(), strict=True):
        # Copies, so that a piece that waits does not keep the pixels of the whole block in memory.
        r, c = rows[start:end].copy(), columns[start:end].copy()
        box = Box(int(r.min()), int(c.min()), int(r.max()) + 1, int(c.max()) + 1)
        found.append(_Joined(box, [r], [c], [pieces.levels[:, start:end].copy()]))
    return found
