"""Planted buildings whose polygons are known, and runs of the whole path over a division of their scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from components.lib.config.scoring import ScoringSettings
from components.lib.geo.rasterise import rasterise_targets
from components.lib.mapping.assembly import Assembly
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.buildings import Buildings, concatenate
from components.lib.mapping.drawing import MOST_PART_PX, Drawer, Outlines
from components.lib.mapping.encoding import decode, encode
from components.lib.mapping.levels import Levels, to_levels
from components.lib.mapping.pieces import DrawnBlock, draw_block
from components.lib.tasks.labels import BUILDING_BAND, LABELS

BANDS = (BUILDING_BAND, *LABELS)
CELL = 32
"""Cells are centred at its multiples, so that blocks of 64 pixels cut every second row and column."""

LARGE = (
    shapely.box(90, 90, 330, 290).difference(shapely.box(130, 134, 262, 250)),
    shapely.box(400, 380, 800, 700)
    .difference(shapely.box(440, 420, 760, 701))
    .difference(shapely.box(399, 560, 440, 701)),
)
"""Buildings larger than a block: one around a yard in which others stand, one with three wings."""


@dataclass(frozen=True)
class Planted:
    """Scene of buildings: their polygons in pixels, which of them are along pixel edges, perfect levels."""

    polygons: list[shapely.Polygon]
    exact: list[bool]
    levels: Levels


def _cell(kind: int, x: int, y: int) -> list[tuple[BaseGeometry, bool]]:
    """One building of a cell, or two that touch; True where it lies along pixel edges."""
    whole = shapely.box(x - 13, y - 13, x + 13, y + 13)
    north, south = (shapely.box(x - 13, y + a, x + 13, y + a + 13) for a in (-13, 0))
    west, east = (shapely.box(x + a, y - 13, x + a + 13, y + 13) for a in (-13, 0))
    match kind:
        case 0:
            return [(shapely.box(x - 12, y - 9, x + 11, y + 10), True)]
        case 1:
            return [(whole.difference(shapely.box(x, y, x + 13, y + 13)), True)]
        case 2:
            turned = affinity.rotate(shapely.box(x - 11, y - 8, x + 11, y + 8), 17 + 29 * (x + y))
            return [(turned, False)]
        case 3:
            return [(whole.difference(shapely.box(x - 3, y - 4, x + 3, y + 2)), True)]
        case 4:
            return [(west, True), (east, True)]
        case 5:
            return [(north, True), (south, True)]
        case _:
            return [(north.intersection(west), True), (south.intersection(east), True)]


def planted(cells: int, most: int, large: tuple[BaseGeometry, ...] = LARGE) -> Planted:
    """Plant buildings in ``cells`` x ``cells`` cells, those at the scene's edge cut by it."""
    side = (cells - 1) * CELL
    scene = shapely.box(0, 0, side, side)
    found = [(polygon, True) for polygon in large if isinstance(polygon, shapely.Polygon)]
    occupied = shapely.union_all([polygon.buffer(10) for polygon in large])
    for row in range(cells):
        for column in range(cells):
            # A building that the scene's edge cuts is too small for a seed, so it stands alone there.
            kinds = 4 if {row, column} & {0, cells - 1} else 7
            for polygon, exact in _cell((3 * row + column) % kinds, column * CELL, row * CELL):
                inside = shapely.simplify(polygon.intersection(scene), 0.0)
                if isinstance(inside, shapely.Polygon) and inside.area > 100:
                    found += [] if occupied.intersects(inside) else [(inside, exact)]
    polygons = [polygon for polygon, _ in found[:most]]
    exact_ones = [exact for _, exact in found[:most]]
    target = rasterise_targets(polygons, side, side, edge_px=3, contact_px=9).transpose(2, 0, 1)
    probability = np.concatenate([target[:1], target]).astype(np.float32)
    return Planted(polygons, exact_ones, to_levels(probability, np.ones((side, side), dtype=bool)))


def noisy(levels: Levels, seed: int) -> Levels:
    """Disturb levels, a tenth of the pixels without data."""
    random = np.random.default_rng(seed)
    values = np.clip(levels + random.integers(-90, 90, levels.shape), 1, 255)
    return np.where(random.random(levels.shape[1:]) < 0.1, 0, values).astype(np.uint8)


def drawer(
    vectorise: str = "watershed",
    outlines: Outlines = "raw",
    *,
    most_part_px: int = MOST_PART_PX,
    **settings: Any,
) -> Drawer:
    """Rules of drawing at the threshold 0.5."""
    scoring = ScoringSettings.model_validate({"vectorise": vectorise, **settings})
    return Drawer(settings=scoring, threshold=0.5, outlines=outlines, bands=BANDS, most_part_px=most_part_px)


def division(levels: Levels, side: int) -> Blocks:
    """Blocks of the scene that levels (C, H, W) cover."""
    return Blocks((levels.shape[1], levels.shape[2]), side)


def drawn_block(levels: Levels, blocks: Blocks, number: int, rules: Drawer) -> DrawnBlock:
    """One block of a scene, drawn."""
    box = blocks.box(number)
    return draw_block(blocks, number, levels[:, box.top : box.bottom, box.left : box.right], rules)


def run(levels: Levels, side: int, rules: Drawer, seed: int = 0) -> Buildings:
    """Draw a scene by blocks of ``side`` pixels, which arrive as bytes in a random order."""
    blocks = division(levels, side)
    assembly = Assembly(blocks, rules)
    order = np.random.default_rng(seed).permutation(len(blocks)).tolist()
    drawn = ((n, decode(encode(drawn_block(levels, blocks, n, rules)))) for n in order)
    parts = [assembly.add(number, block) for number, block in drawn]
    assembly.finish()
    assert assembly.held_px == 0
    return concatenate(parts).ordered()


def content(buildings: Buildings) -> tuple[list[bytes], list[float]]:
    """Bytes of the polygons and confidences, in order."""
    return [bytes(polygon.wkb) for polygon in buildings.geometries], buildings.confidences.tolist()
