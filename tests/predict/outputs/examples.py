"""A small map: 700 x 600 pixels, forty buildings, made up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely

from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.levels import Levels
from components.lib.mapping.scene import SceneFacts, SourceFile
from components.predict.outputs.facts import FOOTPRINTS, PROBABILITY, TILES, MapFacts, ModelFacts
from components.predict.outputs.footprints import Footprints, FootprintWriter
from components.predict.outputs.probability import ProbabilityWriter
from components.predict.outputs.tiles import write_pmtiles

CRS = "EPSG:32631"
GRID = Grid(x_left_m=593_000.0, y_top_m=5_747_500.0, gsd_m=0.5, height=700, width=600)
HOSTILE = '</script><script>alert("x")</script> & <img src=//evil.example>'


def facts(*, simulated: bool = True, promoted: bool = False, name: str = "scene-1") -> MapFacts:
    return MapFacts(
        id=f"{name}.stormsight-sar.3",
        scene=SceneFacts(
            name=name,
            sensor="capella-airborne",
            modality="sar",
            crs=CRS,
            orientation=0,
            acquired=(datetime(2030, 6, 5, 10, 30, tzinfo=UTC), datetime(2030, 6, 5, 10, 32, tzinfo=UTC)),
            sources=(SourceFile(name="strip.tif", sha256="ab" * 32),),
            simulated=simulated,
        ),
        grid=GRID,
        model=ModelFacts(
            name="stormsight-sar",
            version="3",
            weights_sha256="cd" * 32,
            promoted=promoted,
            simulated=True,
            item_href="../models/stormsight-sar-3.json",
        ),
        created=datetime(2030, 6, 6, tzinfo=UTC),
        code="1a2b3c4",
        parameters_sha256="ef" * 32,
        image="",
        mapped_km2=0.1,
    )


def levels(seed: int = 0) -> Levels:
    """Levels with bright rectangles, and no data along the west edge."""
    rng = np.random.default_rng(seed)
    found = np.full((GRID.height, GRID.width), 5, dtype=np.uint8)
    for y, x, value in zip(
        rng.integers(0, 660, 40), rng.integers(90, 570, 40), rng.integers(130, 255, 40), strict=True
    ):
        found[y : y + 24, x : x + 20] = value
    found[:, :80] = 0
    return found


def footprints(count: int = 40) -> Footprints:
    """Squares and rings, 6 m apart, of confidence 0.5 to 1."""
    k = np.arange(count)
    x, y = GRID.x_left_m + 20 + (k % 16) * 16.0, GRID.y_top_m - 330 + (k // 16) * 16.0
    polygons = shapely.box(x, y, x + 10, y + 8)
    rings = shapely.difference(polygons, shapely.box(x + 4, y + 3, x + 6, y + 5))
    polygons = np.where(k % 5 == 0, rings, polygons)
    return Footprints(polygons, 0.5 + 0.5 * (k % 11) / 11, shapely.area(polygons))


def write_probability(path: Path, pixels: Levels, *, side: int = 256, backwards: bool = False) -> None:
    blocks = Blocks(pixels.shape, side)
    with ProbabilityWriter(path, GRID, CRS, work=path.parent, tags=facts().tags) as writer:
        for number in sorted(range(len(blocks)), reverse=backwards):
            box = blocks.box(number)
            writer.write(box, pixels[box.top : box.bottom, box.left : box.right])


def write_footprints(path: Path, buildings: Footprints, *, batch: int = 17) -> None:
    with FootprintWriter(
        path, CRS, scene="scene-1", model="stormsight-sar", model_version="3", tags=facts().tags
    ) as writer:
        for start in range(0, len(buildings), batch):
            writer.add(buildings.part(start, start + batch))


def write_map(folder: Path, buildings: Footprints) -> None:
    """Write the raster, the footprints and their tiles."""
    write_probability(folder / PROBABILITY, levels())
    write_footprints(folder / FOOTPRINTS, buildings)
    write_pmtiles(folder / FOOTPRINTS, folder / TILES)
