"""CPU seconds and peak memory of a comparison of two maps with many buildings, phase by phase.

``python -m tests.benchmarks.bench_changes 20000 200000`` makes two maps of a town for each number (rows of
houses, about 1,500 a square kilometre, of which 1 % are gone, 1 % are new and 1 % are enlarged, all others a
pixel off) with the files of a published map, compares them in a process of their own and prints a table.
Simulated footprints: nothing about the quality of changes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import shapely
from rasterio.features import rasterize

from components.lib.catalogue.maps import Catalogue
from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.levels import to_levels
from components.lib.objects.folder import FolderObjects
from components.predict.changes import making, publishing
from components.predict.outputs.facts import FOOTPRINTS, PROBABILITY, MapFacts
from components.predict.outputs.folder import write_rest
from components.predict.outputs.footprints import Footprints, FootprintWriter
from components.predict.outputs.probability import ProbabilityWriter
from tests.predict.outputs.examples import CRS, facts

SPACING_M = 26.0
"""Distance of houses: about 1,500 a square kilometre."""

BLOCK_PX = 2048
SHARE = 0.01


@dataclass(frozen=True)
class Town:
    """Houses of one map.

    Attributes:
        grid: Ground.
        polygons: (N,) houses.
    """

    grid: Grid
    polygons: np.ndarray[Any, np.dtype[np.object_]]


def towns(count: int, seed: int = 1) -> tuple[Town, Town]:
    """Return a town at two dates, of about ``count`` houses each."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    pixels = int(np.ceil((side + 2) * SPACING_M / 0.5))
    grid = Grid(x_left_m=593_000.0, y_top_m=5_747_500.0, gsd_m=0.5, height=pixels, width=pixels)
    k = np.arange(count)
    x = grid.x_left_m + SPACING_M * (1 + k % side) + rng.uniform(0, 4, count)
    y = grid.y_top_m - SPACING_M * (2 + k // side) + rng.uniform(0, 4, count)
    width, height = rng.uniform(7, 14, count), rng.uniform(7, 14, count)
    fate = rng.uniform(size=count)
    before = shapely.box(x, y, x + width, y + height)[fate >= SHARE]
    x, y = x + 0.5, y - 0.5
    width = np.where((fate >= 2 * SHARE) & (fate < 3 * SHARE), width + 7, width)
    after = shapely.box(x, y, x + width, y + height)[(fate < SHARE) | (fate >= 2 * SHARE)]
    return Town(grid, before), Town(grid, after)


def publish(root: Path, name: str, town: Town, day: int) -> None:
    """Publish a town as a map into the catalogue in ``root``."""
    work = root.parent / f".{name}"
    work.mkdir()
    when = datetime(2030, 6, day, tzinfo=UTC)
    about: MapFacts = replace(facts(name=name), grid=town.grid)
    about = replace(about, scene=replace(about.scene, acquired=(when, when)))
    blocks = Blocks((town.grid.height, town.grid.width), BLOCK_PX)
    tree = shapely.STRtree(town.polygons)
    with ProbabilityWriter(work / PROBABILITY, town.grid, CRS, work=work, tags=about.tags) as raster:
        for number in range(len(blocks)):
            raster.write(blocks.box(number), _levels(town, tree, blocks, number))
    with FootprintWriter(
        work / FOOTPRINTS, CRS, scene=name, model="stormsight-sar", model_version="3", tags=about.tags
    ) as table:
        for start in range(0, len(town.polygons), 8192):
            part = town.polygons[start : start + 8192]
            table.add(Footprints(part, np.full(len(part), 0.85), shapely.area(part)))
    item = write_rest(work, about, geopackage=False)
    catalogue = Catalogue(FolderObjects(root), prefix="")
    catalogue.add_map(item, {path.name: path for path in work.iterdir()}, name, acquisition=name)
    catalogue.rebuild()


def _levels(town: Town, tree: shapely.STRtree, blocks: Blocks, number: int) -> np.ndarray[Any, Any]:
    """Return the levels of a block: 0.85 on houses, else 0.05."""
    box, grid = blocks.box(number), town.grid
    left, top = grid.x_left_m + box.left * grid.gsd_m, grid.y_top_m - box.top * grid.gsd_m
    right, bottom = grid.x_left_m + box.right * grid.gsd_m, grid.y_top_m - box.bottom * grid.gsd_m
    near = tree.query(shapely.box(left, bottom, right, top))
    transform = grid.transform @ type(grid.transform).translation(box.left, box.top)
    probability = np.full(box.shape, 0.05, dtype=np.float32)
    if len(near):
        shapes = [(town.polygons[i], 0.85) for i in near]
        rasterize(shapes, out=probability, transform=transform)
    return to_levels(probability, np.ones(box.shape, dtype=bool))


@contextmanager
def timed(seconds: dict[str, float], module: Any, *names: str) -> Iterator[None]:
    """Measure the CPU seconds of functions of a module while the block runs."""

    def measuring(name: str) -> Any:
        inner = getattr(module, name)

        def call(*given: Any, **named: Any) -> Any:
            start = process_time()
            try:
                return inner(*given, **named)
            finally:
                seconds[name] = seconds.get(name, 0.0) + process_time() - start

        return call

    with patch.multiple(module, **{name: measuring(name) for name in names}):
        yield


def compared(root: str, answer: Any) -> None:
    """Compare, and send CPU seconds by phase, peak memory in MiB and the sizes of files."""
    seconds: dict[str, float] = {}
    start, before = perf_counter(), process_time()
    with (
        timed(seconds, publishing, "open_published", "changes_item"),
        timed(seconds, making, "compare_maps", "write_table", "write_page"),
    ):
        found = publishing.MapComparer(FolderObjects(Path(root)), prefix="").compare("later")
    assert found is not None
    seconds["all"] = process_time() - before
    wall = perf_counter() - start
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    page = Path(found.page)
    answer.send(
        {
            "changes": found.counts,
            "wall s": round(wall, 1),
            "CPU s": {name: round(value, 1) for name, value in seconds.items()},
            "tippecanoe CPU s": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 1),
            "own MiB": round(own),
            "tippecanoe MiB": round(children),
            "files MB": {file.name: round(file.stat().st_size / 1e6, 1) for file in page.parent.iterdir()},
        }
    )


def measure(count: int) -> dict[str, Any]:
    """Make two maps and compare them in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "maps"
        for name, town, day in zip(("june", "later"), towns(count), (5, 25), strict=True):
            publish(root, name, town, day)
        context = multiprocessing.get_context("spawn")
        own, other = context.Pipe()
        process = context.Process(target=compared, args=(str(root), other))
        process.start()
        process.join()
        assert process.exitcode == 0
        found: dict[str, Any] = own.recv()
        return found


def main() -> None:
    """Print a line of JSON for each number of buildings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("buildings", type=int, nargs="+")
    for count in parser.parse_args().buildings:
        print(json.dumps({"buildings": count, **measure(count)}), flush=True)


if __name__ == "__main__":
    main()
