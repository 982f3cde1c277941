"""Buildings found once, in parts, merged or lost: our path and other ways over the same probability map.

    python -m tests.benchmarks.bench_seams [--cells 121] [--window 512] [--overlap 64]

The map is simulated: planted buildings, many of them on seams of the windows, on corners of four, larger than
one, touching each other, or with a yard. Other engines do not install beside this project's locks, so their
stated rules are written out here in a few lines; inside a window they all get our vectoriser, so that only
seams differ. Each way runs in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
import shapely
from rasterio.features import shapes

from components.lib.mapping.blocks import Blocks, Box
from components.lib.mapping.buildings import Polygons
from components.lib.mapping.drawing import Drawer
from components.lib.mapping.levels import Levels
from tests.lib.mapping.planted import drawer, planted, run

DUPLICATE_IOU = 0.9
"""Polygons that overlap by it count as one in OlmoEarth Run's ``CombineAndDeduplicateGeojson`` (0.1.14)."""

LEAST_IOU = 0.8
"""A building is found once if one polygon is its, by this IoU; two halves or a pair as one reach 0.5."""
LEAST_SHARE = 0.05
"""A polygon is one of a building's if it covers this share of the building, or lies in it by half."""


def our_way(levels: Levels, side: int, rules: Drawer) -> Polygons:
    """Blocks of ``side`` pixels, pieces joined across their borders."""
    return run(levels, side, rules).geometries


def whole_image(levels: Levels, rules: Drawer) -> Polygons:
    """rasterio.features.shapes over the whole mask, as a script does that holds the scene in memory."""
    mask = rules.mask(levels)
    found = [shapely.geometry.shape(outline) for outline, _ in shapes(mask.astype(np.uint8), mask=mask)]
    return np.array(
        [polygon for polygon in found if polygon.area >= rules.settings.min_area_px], dtype=object
    )


def concatenated(levels: Levels, side: int, rules: Drawer) -> Polygons:
    """Rule of rslearn's ``VectorMerger`` (0.1.19) and ftw-tools: the polygons of all windows, as they are."""
    blocks = Blocks((levels.shape[1], levels.shape[2]), side)
    return _windows(levels, (blocks.box(number) for number in range(len(blocks))), rules)


def deduplicated(levels: Levels, side: int, overlap: int, rules: Drawer) -> Polygons:
    """Rule of OlmoEarth Run: of polygons that overlap by ``DUPLICATE_IOU``, the first is kept.

    The package compares all pairs; here an index finds those that meet, with the same outcome.
    """
    height, width = levels.shape[1:]
    tops, lefts = (range(0, max(1, length - overlap), side - overlap) for length in (height, width))
    boxes = (Box(y, x, min(y + side, height), min(x + side, width)) for y in tops for x in lefts)
    polygons = _windows(levels, boxes, rules)
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    first, second = first[first < second], second[first < second]
    shared = shapely.area(shapely.intersection(polygons[first], polygons[second]))
    area = shapely.area(polygons)
    same = shared >= DUPLICATE_IOU * (area[first] + area[second] - shared)
    kept = np.ones(len(polygons), dtype=bool)
    for a, b in sorted(zip(first[same].tolist(), second[same].tolist(), strict=True)):
        if kept[a]:
            kept[b] = False
    return polygons[kept]


def _windows(levels: Levels, boxes: Iterator[Box], rules: Drawer) -> Polygons:
    parts = []
    for box in boxes:
        drawn = rules.draw(levels[:, box.top : box.bottom, box.left : box.right])
        corner = np.full((2, len(drawn)), [[box.left], [box.top]])
        parts.append(drawn.shifted(*corner).geometries)
    return np.concatenate(parts)


def judged(truth: list[shapely.Polygon], found: Polygons) -> tuple[int, ...]:
    """Count buildings: found once, by several polygons, merged or of another shape, lost."""
    true = np.array(truth, dtype=object)
    building, polygon = shapely.STRtree(found).query(true, predicate="intersects")
    shared = shapely.area(shapely.intersection(true[building], found[polygon]))
    sizes, areas = shapely.area(true), shapely.area(found)
    own = (shared >= LEAST_SHARE * sizes[building]) | (shared >= 0.5 * areas[polygon])
    building, polygon, shared = building[own], polygon[own], shared[own]
    iou = shared / (sizes[building] + areas[polygon] - shared)
    claims = np.bincount(building, minlength=len(true))
    best: npt.NDArray[np.float64] = np.zeros(len(true))
    np.maximum.at(best, building, iou)
    once = (claims == 1) & (best >= LEAST_IOU)
    return (
        int(once.sum()),
        int((claims > 1).sum()),
        int(((claims == 1) & ~once).sum()),
        int((claims == 0).sum()),
    )


def measured(way: Callable[[], Polygons]) -> tuple[Polygons, float, float]:
    """Run in a process of its own; the polygons, seconds of CPU, and MiB that it needed at most."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        start, used = psutil.Process().memory_info().rss, time.process_time()
        polygons = way()
        seconds = time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - start
        send.send((shapely.to_wkb(polygons), seconds, peak / 2**20))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    wkb, seconds, peak = receive.recv()
    process.join()
    return np.asarray(shapely.from_wkb(wkb), dtype=object), seconds, peak


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Buildings at seams: our path and other ways.")
    parser.add_argument("--cells", type=int, default=121, help="cells of 32 px a side (default 121)")
    parser.add_argument("--window", type=int, default=512, help="of blocks and windows, px (default 512)")
    parser.add_argument("--overlap", type=int, default=64, help="overlap of windows, px (default 64)")
    options = parser.parse_args()
    scene = planted(options.cells, 10**9)
    levels = scene.levels
    flooded, plain = drawer("watershed", "simplified"), drawer("plain", "simplified")
    side, overlap = options.window, options.overlap
    ways: dict[str, Callable[[], Polygons]] = {
        "this project, watershed": lambda: our_way(levels, side, flooded),
        "this project, plain": lambda: our_way(levels, side, plain),
        "whole image, rasterio.features.shapes": lambda: whole_image(levels, plain),
        "rule of rslearn, ftw-tools: concatenate": lambda: concatenated(levels, side, flooded),
        "rule of OlmoEarth Run: drop IoU >= 0.9": lambda: deduplicated(levels, side, overlap, flooded),
    }
    print(f"{len(scene.polygons)} planted buildings, {levels.shape[1:]} px, windows of {side} px")
    print("| way | polygons | once | in parts | merged or other | lost | CPU s | MiB |\n" + "|---" * 8 + "|")
    for name, way in ways.items():
        found, seconds, peak = measured(way)
        counts = " | ".join(map(str, judged(scene.polygons, found)))
        print(f"| {name} | {len(found)} | {counts} | {seconds:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
