"""Road graph of a map, traced from the mask of all blocks: skeletons of parts are none of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from components.contract.errors import BadDataError
from components.lib.geo.geoarray import PixelTransform
from components.lib.mapping.blockfile import FinishedBlock
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.levels import PUBLISHED_SCALE, Levels
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.reading import MOST_PX
from components.lib.roads.tracing.trace import trace_roads
from components.lib.roads.writing.graphml import write_graphml
from components.lib.tasks.names import TaskName
from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.products.base import MapProduct, ObjectTable
from components.predict.roads.files import write_geoparquet


class RoadProduct(MapProduct):
    """Graph of the centre lines of roads. Blocks keep nothing of it: it is the same for any division.

    Args:
        blocks: Division of the scene.
        threshold: Probability above which a pixel is road.

    Raises:
        BadDataError: If the scene has more pixels than can be traced.
    """

    task: ClassVar[TaskName] = "roads"

    def __init__(self, blocks: Blocks, threshold: float) -> None:
        height, width = blocks.shape
        if height * width > MOST_PX:
            raise BadDataError(
                f"the scene has {height} x {width} pixels; roads are traced in at most {MOST_PX}",
                next_step="cut it into scenes",
            )
        self._blocks = blocks
        self.threshold = threshold

    def draw(self, number: int, levels: Levels) -> bytes:
        """Return nothing."""
        return b""

    def table(self, folder: Path, facts: MapFacts) -> ObjectTable:
        """Return the writer of ``roads.parquet`` and ``roads.graphml``."""
        return _RoadTable(folder, facts, self._blocks, self.threshold)


class _RoadTable(ObjectTable):
    """Writer that collects the mask, a byte a pixel, and traces it when it is closed."""

    def __init__(self, folder: Path, facts: MapFacts, blocks: Blocks, threshold: float) -> None:
        self._folder, self._facts, self._blocks = folder, facts, blocks
        self._road = np.zeros(blocks.shape, dtype=bool)
        # That of the published values, as `roads --mask probability.tif` takes it; no data are level 0.
        self._level = 1 + threshold / PUBLISHED_SCALE

    def add(self, number: int, block: FinishedBlock, name: str) -> None:
        """See :class:`ObjectTable`."""
        box = self._blocks.box(number)
        self._road[box.top : box.bottom, box.left : box.right] = block.levels > self._level

    def close(self) -> None:
        """Trace the roads, and publish both files.

        Raises:
            ResourceError: If the disk is full.
        """
        scene = self._facts.scene
        transform = PixelTransform(*self._facts.grid.transform[:6])
        roads = trace_roads(
            RoadMask(road=self._road, transform=transform, crs=scene.crs, name=f"the map of {scene.name}")
        )
        model = self._facts.model
        texts = {"scene": scene.name, "model": model.name, "model_version": model.version}
        write_geoparquet(self._folder / names.ROADS, roads, texts=texts, tags=self._facts.tags)
        write_graphml(self._folder / names.ROAD_GRAPH, roads)

    def discard(self, error: BaseException) -> None:
        """See :class:`OutputWriter`: nothing is written before the end."""
