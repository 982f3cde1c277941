"""Inventory of checked strips: all that is known of them without their pixels, as JSON values.

Checking a delivery reads every byte of it. Who has the inventory knows grid, facts and good tiles, and reads
the tiles that its blocks lie on, each held against the hash that was checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from components.contract.errors import BadDataError
from components.lib.datasets.sensors import get_sensor
from components.lib.geo.grid import GRID_M, Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene, SceneFacts
from components.lib.objects.sealed import checked
from components.predict.scenes.checks import LARGEST_RESIZE, MOST_SIDE_PX
from components.predict.scenes.place import Place
from components.predict.scenes.reading import reading_of
from components.predict.scenes.strip import StripScene
from components.predict.scenes.tiles import Tile, TileCache, TileFile, TileReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTile:
    """Checked tile of a strip.

    Attributes:
        name: File name without folders.
        number: Number of the tile, unique in its strip.
        sha256: Hex SHA-256 of the file when it was checked.
        place: Place of the file on the ground.
        box: Its pixels of the strip's grid.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    number: int
    sha256: str
    place: Place
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStrip:
    """Checked strip.

    Attributes:
        facts: Facts of the strip.
        grid: Its place on the ground.
        tiles: Its tiles, in order of precedence.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    facts: SceneFacts
    grid: Grid
    tiles: tuple[ListedTile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Checked strips of one delivery."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    strips: tuple[ListedStrip, ...]

    @property
    def tiles(self) -> list[ListedTile]:
        """All tiles of all strips."""
        return [tile for strip in self.strips for tile in strip.tiles]


Load = Callable[[ListedTile], bytes]
"""Reader of a tile's file."""

_INVENTORY = TypeAdapter(Inventory)


def inventory_record(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Return the inventory of strips as JSON values.

    Raises:
        BadDataError: If a scene is no strip of tiles.
    """
    record: dict[str, Any] = _INVENTORY.dump_python(
        Inventory(strips=tuple(_listed(scene) for scene in scenes)), mode="json"
    )
    return record


def read_inventory(record: object, *, name: str) -> Inventory:
    """Return the inventory of :func:`inventory_record`.

    Args:
        record: JSON values, trusted in nothing.
        name: Name of the record, for messages.

    Raises:
        BadDataError: If they are none, or hold no strip or a strip without tiles.
    """
    inventory = checked(record, Inventory, name=name)
    if not inventory.strips or not all(_is_sound(strip) for strip in inventory.strips):
        raise BadDataError(
            f"{name} lists no tiles, or a place that no tile has", next_step="remove it, and start a new run"
        )
    return inventory


def _is_sound(strip: ListedStrip) -> bool:
    """Return whether a strip is one that a check of files can have found."""
    facts, tiles = strip.facts, strip.tiles
    grids = [strip.grid, *(grid for tile in tiles for grid in (tile.place.native, tile.place.grid))]
    whole = Box(0, 0, strip.grid.height, strip.grid.width)
    return (
        len(tiles) > 0
        and facts.orientation in (0, 1)
        and facts.crs == get_sensor(facts.sensor).crs
        and all(map(_is_usable, grids))
        and all(tile.box.shape == (tile.place.grid.height, tile.place.grid.width) for tile in tiles)
        and all(tile.box.shared(whole) == tile.box for tile in tiles)
    )


def _is_usable(grid: Grid) -> bool:
    sides = min(grid.height, grid.width) >= 1 and max(grid.height, grid.width) <= MOST_SIDE_PX
    return sides and 1 / LARGEST_RESIZE <= grid.gsd_m / GRID_M <= LARGEST_RESIZE


def listed_scenes(inventory: Inventory, load: Load) -> list[StripScene]:
    """Return the strips of an inventory; ``load`` is called for a tile when its pixels are first needed."""
    cache = TileCache()
    return [_strip(strip, load, cache) for strip in inventory.strips]


def tiles_under(inventory: Inventory, grounds: Iterable[Grid]) -> list[ListedTile]:
    """Return the tiles that share ground with one of ``grounds``, which are in the strips' CRS."""
    tiles = inventory.tiles
    west, south, east, north = np.array([_bounds(tile.place.native) for tile in tiles]).T
    found = np.zeros(len(tiles), dtype=bool)
    for ground in grounds:
        left, bottom, right, top = _bounds(ground)
        found |= (west <= right) & (left <= east) & (south <= top) & (bottom <= north)
    return [tile for tile, wanted in zip(tiles, found.tolist(), strict=True) if wanted]


def _bounds(grid: Grid) -> tuple[float, float, float, float]:
    """Return west, south, east and north edge in metres."""
    width, height = grid.side_m
    return grid.x_left_m, grid.y_top_m - height, grid.x_left_m + width, grid.y_top_m


def _listed(scene: Scene) -> ListedStrip:
    if not isinstance(scene, StripScene):
        raise BadDataError(
            f"{scene.facts.name} is no strip of tiles", next_step="deliver tiles with a data set's names"
        )
    tiles = tuple(
        ListedTile(
            name=reader.tile.file.name,
            number=reader.tile.file.tile,
            sha256=reader.tile.sha256,
            place=reader.place,
            box=box,
        )
        for box, reader in scene.tiles
    )
    return ListedStrip(facts=scene.facts, grid=scene.grid, tiles=tiles)


def _strip(strip: ListedStrip, load: Load, cache: TileCache) -> StripScene:
    reading = reading_of(strip.facts.sensor, strip.facts.modality)
    readers = []
    for one in strip.tiles:
        file = TileFile(one.name, strip.facts.name, one.number, partial(load, one))
        readers.append((one.box, TileReader(Tile(file, one.sha256), one.place, reading, cache)))
    return StripScene(strip.facts, strip.grid, readers)
