"""Footprints of buildings: drawn block by block, those that a border cuts when their blocks have come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from components.lib.geo.grid import Grid
from components.lib.mapping.assembly import Assembly
from components.lib.mapping.blockfile import FinishedBlock
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.drawing import Drawer
from components.lib.mapping.encoding import decode, encode
from components.lib.mapping.levels import Levels
from components.lib.mapping.pieces import draw_block
from components.lib.tasks.names import TaskName
from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.footprints import Footprints, FootprintWriter
from components.predict.products.base import MapProduct, ObjectTable


class BuildingProduct(MapProduct):
    """Footprints of buildings.

    Args:
        blocks: Division of the scene.
        grid: Its place on the ground.
        drawer: Rules of drawing.
    """

    task: ClassVar[TaskName] = "buildings"

    def __init__(self, blocks: Blocks, grid: Grid, drawer: Drawer) -> None:
        self._blocks, self._grid, self._drawer = blocks, grid, drawer
        self.threshold = drawer.threshold

    def draw(self, number: int, levels: Levels) -> bytes:
        """Return the buildings inside a block, and the pieces that its borders cut, encoded.

        Raises:
            BadDataError: If a connected part is too large to be drawn.
        """
        return encode(draw_block(self._blocks, number, levels, self._drawer))

    def table(self, folder: Path, facts: MapFacts) -> ObjectTable:
        """Return the writer of ``footprints.parquet``."""
        writer = FootprintWriter(
            folder / names.FOOTPRINTS,
            facts.scene.crs,
            scene=facts.scene.name,
            model=facts.model.name,
            model_version=facts.model.version,
            tags=facts.tags,
        )
        return _FootprintTable(_GroundAssembly(self._blocks, self._grid, self._drawer), writer)

    def footprints(self, finished: Iterable[tuple[int, FinishedBlock, str]]) -> Iterator[Footprints]:
        """Yield the buildings of finished blocks, each once, in map coordinates.

        Args:
            finished: Number, content and address of every block, in ascending order.

        Raises:
            BadDataError: If a block is damaged.
        """
        assembly = _GroundAssembly(self._blocks, self._grid, self._drawer)
        for number, block, name in finished:
            yield assembly.add(number, block, name)
        assembly.finish()


class _GroundAssembly:
    """Assembly of blocks whose buildings come in map coordinates."""

    def __init__(self, blocks: Blocks, grid: Grid, drawer: Drawer) -> None:
        self._assembly, self._grid = Assembly(blocks, drawer), grid

    def add(self, number: int, block: FinishedBlock, name: str) -> Footprints:
        """Take a block; return the buildings that are complete with it."""
        buildings = self._assembly.add(number, decode(block.drawn, name=name))
        polygons = buildings.on_ground(self._grid)
        return Footprints(polygons, buildings.confidences, buildings.areas_m2(self._grid))

    def finish(self) -> None:
        """Check that every block has been added; see :meth:`Assembly.finish`."""
        self._assembly.finish()


class _FootprintTable(ObjectTable):
    def __init__(self, assembly: _GroundAssembly, writer: FootprintWriter) -> None:
        self._assembly, self._writer = assembly, writer

    def add(self, number: int, block: FinishedBlock, name: str) -> None:
        """See :class:`ObjectTable`."""
        self._writer.add(self._assembly.add(number, block, name))

    def close(self) -> None:
        """See :class:`OutputWriter`; nothing is published while blocks are missing."""
        with self._writer:
            self._assembly.finish()

    def discard(self, error: BaseException) -> None:
        """See :class:`OutputWriter`."""
        self._writer.discard(error)
