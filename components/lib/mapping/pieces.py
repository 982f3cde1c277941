"""Buildings of one block, and the pieces of buildings that its borders may cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from components.lib.geo.vectorise import EIGHT_CONNECTED
from components.lib.mapping.blocks import Blocks, Box
from components.lib.mapping.buildings import Buildings
from components.lib.mapping.drawing import Drawer, Part
from components.lib.mapping.levels import Levels


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """8-connected parts of one block's mask that touch its border to another block, as pixels.

    Attributes:
        sizes: (K,) int64, pixels of each piece.
        positions: (N,) int32, their places ``row * width + column`` in the block, piece by piece.
        levels: (C, N) uint8, their levels.
    """

    sizes: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int32]
    levels: Levels

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnBlock:
    """Drawing of one block.

    Attributes:
        box: Pixels of the block in the scene.
        buildings: Buildings that touch no border to another block.
        pieces: Pixels of all others.
    """

    box: Box
    buildings: Buildings
    pieces: Pieces


def draw_block(blocks: Blocks, number: int, levels: Levels, drawer: Drawer) -> DrawnBlock:
    """Draw what lies inside a block, and cut out the pieces that may go on in another one.

    Args:
        blocks: Division of the scene.
        number: Block.
        levels: (C, h, w) uint8 of the block's pixels, channels ``drawer.bands``.
        drawer: Rules of drawing.

    Raises:
        BadDataError: If a connected part is too large to be drawn (:meth:`Drawer.check_size`).
    """
    box = blocks.box(number)
    if levels.shape != (len(drawer.bands), *box.shape):
        raise ValueError(f"levels {levels.shape} are not {drawer.bands} of a block of {box.shape} pixels")
    parts, count = ndimage.label(drawer.mask(levels), structure=EIGHT_CONNECTED)
    is_cut = np.zeros(count + 1, dtype=bool)
    for side in _shared_sides(parts, box, blocks.shape):
        is_cut[side] = True
    is_cut[0] = False
    inner = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        around = Box(rows.start, columns.start, rows.stop, columns.stop).moved(box.top, box.left)
        drawer.check_size(around)
        if not is_cut[label]:
            inner.append(Part(around, levels[:, rows, columns], parts[rows, columns] == label))
    return DrawnBlock(box, drawer.draw_parts(inner), _pieces(parts, is_cut, levels))


def _shared_sides(
    parts: npt.NDArray[np.int32], box: Box, scene: tuple[int, int]
) -> list[npt.NDArray[np.int32]]:
    """Return the outermost pixels of a block on the sides behind which another block lies."""
    sides = [
        (box.top > 0, parts[0]),
        (box.left > 0, parts[:, 0]),
        (box.bottom < scene[0], parts[-1]),
        (box.right < scene[1], parts[:, -1]),
    ]
    return [pixels for shared, pixels in sides if shared]


def _pieces(parts: npt.NDArray[np.int32], is_cut: npt.NDArray[np.bool_], levels: Levels) -> Pieces:
    positions = np.flatnonzero(is_cut[parts])
    owners = parts.ravel()[positions]
    order = np.argsort(owners, kind="stable")
    positions = positions[order]
    _, sizes = np.unique(owners, return_counts=True)
    pixels = levels.reshape(len(levels), -1)[:, positions]
    return Pieces(sizes.astype(np.int64), positions.astype(np.int32), pixels)
