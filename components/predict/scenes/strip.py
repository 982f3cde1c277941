"""Scene made of the tiles of one strip: their mosaic on a common lattice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from components.contract.errors import BadDataError
from components.lib.geo.grid import GRID_M, Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels, SceneFacts
from components.predict.scenes.lattice import TOLERANCE_PX, Lattice, lattice_of
from components.predict.scenes.place import Place
from components.predict.scenes.tiles import CheckedTile, TileReader

MOST_AWAY_M = 100_000.0
"""Largest distance of a tile from the middle of its strip: a wrong place would make a map without an end."""


class StripScene:
    """One look: the tiles of a strip, the first tile with data at a pixel being the pixel's.

    Args:
        facts: Facts of the strip.
        grid: Its place on the ground.
        tiles: Box of each tile on the grid, and its reader, in order of precedence.
    """

    def __init__(self, facts: SceneFacts, grid: Grid, tiles: Sequence[tuple[Box, TileReader]]) -> None:
        self.facts = facts
        self.grid = grid
        self.tiles = tuple(tiles)

    def on(self, grid: Grid) -> StripScene:
        """Return the same look on another grid of its CRS, sampled from the tiles' own pixels."""
        lattice = Lattice(grid.x_left_m, grid.y_top_m, grid.gsd_m)
        covers = [(lattice.covering(reader.native), reader) for _, reader in self.tiles]
        tiles = [(lattice.box(cover), reader.on(cover)) for cover, reader in covers]
        return StripScene(self.facts, grid, tiles)

    def read(self, box: Box) -> Pixels:
        """Return pixels; see :class:`~components.lib.mapping.scene.Scene`."""
        pixels = np.zeros((*box.shape, 4), dtype=np.uint8)
        ends = Box(0, 0, self.grid.height, self.grid.width)
        for tile, reader in self.tiles:
            shared = tile.shared(box).shared(ends)
            if not shared.area:
                continue
            part = pixels[shared.within(box)]
            empty = ~part.any(axis=-1)
            if empty.any():
                part[empty] = reader.pixels()[shared.within(tile)][empty]
        return pixels


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Tiles of a strip on one grid.

    Attributes:
        grid: Grid of the strip.
        tiles: Tiles that lie on it, with their boxes and places.
        beside: Tiles that do not, and why.
    """

    grid: Grid
    tiles: tuple[tuple[CheckedTile, Box, Place], ...]
    beside: tuple[tuple[CheckedTile, str], ...]


def lay_out(tiles: Sequence[CheckedTile]) -> Mosaic:
    """Lay the tiles of a strip onto one grid of the model's pixel size.

    Where the grids that the training store gives the tiles share a lattice, pixels are those of the store;
    else every tile is sampled on the lattice of the strip.

    Raises:
        BadDataError: If the tiles lie too far apart for a strip.
    """
    native = lattice_of([tile.place.native for tile in tiles])
    kept, beside = _divided(tiles, native)
    if not kept:
        raise BadDataError(
            f"strip {tiles[0].file.strip}: {tiles[0].file.name} {beside[0][1]}",
            next_step="check the georeference of its tiles",
        )
    lattice = lattice_of([tile.grid for tile in kept])
    places = [tile.place for tile in kept]
    if max(lattice.distance_px(place.grid) for place in places) > TOLERANCE_PX:
        lattice = Lattice(native.x_m, native.y_m, GRID_M)
        places = [replace(place, grid=lattice.covering(place.native)) for place in places]
    boxes = [lattice.box(place.grid) for place in places]
    union = Box.around(boxes)
    shifted = [box.moved(-union.top, -union.left) for box in boxes]
    return Mosaic(lattice.grid(union), tuple(zip(kept, shifted, places, strict=True)), tuple(beside))


def _divided(
    tiles: Sequence[CheckedTile], lattice: Lattice
) -> tuple[list[CheckedTile], list[tuple[CheckedTile, str]]]:
    """Return the tiles that belong together on a lattice, and the others with the reason."""
    middle = np.median([(t.place.native.x_left_m, t.place.native.y_top_m) for t in tiles], axis=0)
    kept, beside = [], []
    for tile in tiles:
        native = tile.place.native
        away_m = max(abs(native.x_left_m - middle[0]), abs(native.y_top_m - middle[1]))
        distance = lattice.distance_px(native)
        if abs(native.gsd_m / lattice.gsd_m - 1) > 1e-3:
            beside.append((tile, f"has pixels of {native.gsd_m:g} m, its strip of {lattice.gsd_m:g} m"))
        elif away_m > MOST_AWAY_M:
            beside.append((tile, f"lies {away_m / 1000:.0f} km from the middle of its strip"))
        elif distance > TOLERANCE_PX:
            beside.append((tile, f"lies {distance:.2f} pixels beside the lattice of its strip's tiles"))
        else:
            kept.append(tile)
    return kept, beside
