"""One map: its looks and its model, from blocks in a work store to the finished folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.contract.errors import BadDataError, MissingInputError
from components.lib.files import atomic_directory
from components.lib.mapping.blockfile import FinishedBlock, pack, unpack
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.drawing import Drawer
from components.lib.mapping.levels import NO_DATA, Levels
from components.lib.mapping.scene import Scene, SceneFacts
from components.lib.tasks.labels import BAND_OF
from components.lib.telling import telling
from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts, ModelFacts
from components.predict.outputs.folder import write_rest
from components.predict.outputs.footprints import Footprints
from components.predict.outputs.probability import ProbabilityWriter
from components.predict.products.base import MapProduct
from components.predict.products.buildings import BuildingProduct
from components.predict.products.roads import RoadProduct
from components.predict.rules import MapRules

if TYPE_CHECKING:  # the code of a map is what these modules import: not where blocks lie and models are found
    from components.lib.objects.protocol import ObjectStore
    from components.predict.models import ServedModel

LOG = logging.getLogger(__name__)

IMAGE = "STORMSIGHT_IMAGE"
"""Environment variable with the digest of the container image, for a map's lineage."""


class SceneMap:
    """Map of one or more looks at the same ground by one model.

    Args:
        map_id: Id of the map.
        looks: Looks on one common grid.
        model: Returns the model; called when it is first needed.
        rules: Division, drawing and lineage.
    """

    def __init__(
        self, map_id: str, looks: Sequence[Scene], model: Callable[[], ServedModel], rules: MapRules
    ) -> None:
        self.id = map_id
        self.looks = looks
        self.grid = looks[0].grid
        self.blocks = Blocks((self.grid.height, self.grid.width), rules.parameters.block_px)
        self._load = model
        self.rules = rules

    @property
    def name(self) -> str:
        """The id without its hash: what the map is of."""
        return self.id.rpartition("-")[0]

    @cached_property
    def model(self) -> ServedModel:
        """The model, loaded when it is first asked for."""
        return self._load()

    def map_blocks(
        self, numbers: Iterable[int], work: ObjectStore, prefix: str, *, quiet: bool = False
    ) -> None:
        """Map blocks, each one object below ``prefix`` that is created once; those that exist are skipped.

        Args:
            numbers: Blocks that are wanted.
            work: Store of blocks.
            prefix: Prefix of this map's blocks, with a slash at its end.
            quiet: True shows no progress bar.

        Raises:
            ParameterError: If the network does not know the sensor of a look.
            BadDataError: If a file is damaged, the probability map is saturated, or something else lies
                where a block should.
            ResourceError: If the device or the disk cannot take it.
        """
        wanted = [number for number in numbers if not work.exists(block_key(prefix, number))]
        if not wanted:
            return
        product = self._product
        with (
            closing(self._levels(wanted)) as mapped,
            telling(f"map {self.id}", len(wanted), "block", quiet=quiet) as advance,
        ):
            for number, levels in mapped:
                drawn = product.draw(number, levels)
                key, content = block_key(prefix, number), pack(FinishedBlock(levels[0], drawn))
                if not work.create(key, content) and not work.exists(key):
                    raise BadDataError(
                        f"{work.uri}/{key} is a folder or a link, where a block should be",
                        next_step="remove it and run the same command again",
                    )
                advance(1)

    def missing(self, work: ObjectStore, prefix: str) -> list[int]:
        """Return the blocks that ``prefix`` lacks."""
        present = {info.key for info in work.list(prefix)}
        return [n for n in range(len(self.blocks)) if block_key(prefix, n) not in present]

    def finish(self, work: ObjectStore, prefix: str, out: Path) -> Mapping[str, Any]:
        """Write the folder ``out`` with all files of the map, whole or not at all; return its STAC item.

        Raises:
            MissingInputError: If blocks are missing.
            BadDataError: If one is damaged.
            ResourceError: If the disk is full.
        """
        if absent := self.missing(work, prefix):
            raise MissingInputError(
                f"map {self.id}: {len(absent)} of {len(self.blocks)} blocks are missing, first {absent[0]}",
                next_step="run the same command again: it maps only these",
            )
        with atomic_directory(out) as folder:
            pixels = self.write_blocks(work, prefix, folder)
            facts = self._facts(pixels)
            LOG.info("write %s: page, picture and vector tiles", self.id)
            return write_rest(folder, facts, geopackage=self.rules.parameters.gpkg)

    def _levels(self, numbers: Sequence[int]) -> Generator[tuple[int, Levels], None, None]:
        from components.predict.network import levels_of  # noqa: PLC0415 - torch

        return levels_of(self.model.net, self.looks, self.blocks, numbers, self.rules)

    @cached_property
    def _product(self) -> MapProduct:
        """Objects that the model's task asks for."""
        config = self.model.net.config
        if config.task == "roads":
            return RoadProduct(self.blocks, self.rules.scoring.threshold_of(config.threshold))
        return self._buildings

    @cached_property
    def _buildings(self) -> BuildingProduct:
        from components.lib.inference.tiles import bands_of  # noqa: PLC0415 - torch

        config = self.model.net.config
        drawer = Drawer(
            settings=self.rules.scoring,
            threshold=self.rules.scoring.threshold_of(config.threshold),
            outlines=self.rules.parameters.outlines,
            bands=bands_of(self.model.net),
        )
        return BuildingProduct(self.blocks, self.grid, drawer)

    def write_blocks(self, work: ObjectStore, prefix: str, folder: Path) -> int:
        """Write the raster and the objects' table from the blocks; return the number of pixels with data."""
        pixels = 0
        facts = self._facts(0)
        raster = ProbabilityWriter(
            folder / names.PROBABILITY,
            self.grid,
            facts.scene.crs,
            work=folder,
            tags=facts.tags,
            band=BAND_OF[facts.task],
        )
        with raster, self._product.table(folder, facts) as table:
            for number, block, name in self._finished(work, prefix):
                raster.write(self.blocks.box(number), block.levels)
                pixels += int(np.count_nonzero(block.levels != NO_DATA))
                table.add(number, block, name)
        return pixels

    def footprints(self, work: ObjectStore, prefix: str) -> Iterator[Footprints]:
        """Yield the buildings of the finished blocks, each once, in map coordinates.

        Raises:
            BadDataError: If a block is damaged.
            MissingInputError: If one is missing.
        """
        return self._buildings.footprints(self._finished(work, prefix))

    def _finished(self, work: ObjectStore, prefix: str) -> Iterator[tuple[int, FinishedBlock, str]]:
        """Yield number, content and address of each block."""
        with telling(f"merge {self.id}", len(self.blocks), "block", leave=False) as advance:
            for number in range(len(self.blocks)):
                key = block_key(prefix, number)
                name = f"{work.uri}/{key}"
                block = unpack(work.get(key), name)
                if block.levels.shape != self.blocks.box(number).shape:
                    raise BadDataError(
                        f"block {name} is of another division: it has {block.levels.shape} pixels, "
                        f"not {self.blocks.box(number).shape}",
                        next_step="remove it and run the same command again",
                    )
                yield number, block, name
                advance(1)

    @cached_property
    def _scene(self) -> SceneFacts:
        return shared_facts([look.facts for look in self.looks], self.name)

    def _facts(self, pixels: int) -> MapFacts:
        model, taken_for, product = self.model, self.rules.statistics_of, self._product
        return MapFacts(
            id=self.id,
            scene=self._scene,
            grid=self.grid,
            model=ModelFacts(
                name=model.name,
                version=model.version,
                weights_sha256=model.weights_sha256,
                promoted=model.promoted,
                simulated=model.simulated,
                item_href=model.item_href,
            ),
            created=datetime.now(UTC).replace(microsecond=0),
            code=self.rules.code,
            parameters_sha256=self.rules.parameters_sha256,
            image=os.environ.get(IMAGE, ""),
            mapped_km2=pixels * self.grid.gsd_m**2 / 1e6,
            statistics_of=None if taken_for == self._scene.sensor else taken_for,
            task=product.task,
            threshold=product.threshold if product.task == "roads" else None,
        )


def block_key(prefix: str, number: int) -> str:
    """Return the key of a block below ``prefix``, which ends with a slash."""
    return f"{prefix}{number:06d}"


def shared_facts(facts: Sequence[SceneFacts], name: str) -> SceneFacts:
    """Return the facts of a map of several looks; those of one look stay as they are."""
    if len(facts) == 1:
        return facts[0]
    first = facts[0]
    times = [fact.acquired for fact in facts if fact.acquired is not None]
    return replace(
        first,
        name=name,
        orientation=0,
        acquired=(min(t[0] for t in times), max(t[1] for t in times)) if len(times) == len(facts) else None,
        sources=tuple(source for fact in facts for source in fact.sources),
        simulated=any(fact.simulated for fact in facts),
    )
