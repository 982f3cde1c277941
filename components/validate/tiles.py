"""The manifest's files gathered by tile."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from components.lib.spacenet6.naming import TileName

Record = Mapping[Hashable, Any]
"""One row of the manifest."""

USED_PRODUCTS = ("SAR-Intensity", "PS-RGB", "Buildings")
"""What later stages read; other products of a release may lie in the shards untouched."""


@dataclass(slots=True)
class Tile:
    """The files of one tile of one acquisition.

    Attributes:
        acquisition: Catalogue id.
        sensor: Sensor name.
        image_id: ``<strip>_tile_<n>``, or the file name of a file that belongs to no tile.
        strip: Strip, "" when misnamed.
        tile: Tile number, -1 when misnamed.
        part: ``Train`` or ``Test_Public``, "" when misnamed.
        files: Manifest row of each of ``USED_PRODUCTS`` that is there.
        duplicates: Rows that claim a product the tile already has.
        misnamed: Why the name and the manifest do not agree, or None.
    """

    acquisition: str
    sensor: str
    image_id: str
    strip: str = ""
    tile: int = -1
    part: str = ""
    files: dict[str, Record] = field(default_factory=dict)
    duplicates: int = 0
    misnamed: str | None = None


def gather_tiles(manifest: pd.DataFrame) -> list[Tile]:
    """Group the manifest's rows by acquisition and image id, in that order.

    A file whose name breaks the convention, or says something else than its manifest row, becomes a tile of
    its own, so that it is reported once and joins nothing.
    """
    tiles: dict[tuple[str, str], Tile] = {}
    for record in manifest.to_dict("records"):
        if record["product"] == "Summary":
            continue
        found = _tile_of(record)
        tile = tiles.setdefault((found.acquisition, found.image_id), found)
        product = str(record["product"])
        if tile.misnamed is not None or product not in USED_PRODUCTS:
            continue
        tile.duplicates += product in tile.files
        tile.files.setdefault(product, record)
    return [tiles[key] for key in sorted(tiles)]


def _tile_of(record: Record) -> Tile:
    acquisition, sensor, name = str(record["acquisition"]), str(record["sensor"]), str(record["name"])
    if not TileName.matches(name):
        return Tile(acquisition, sensor, name, misnamed=f"the name {name!r} breaks the SpaceNet 6 convention")
    said = TileName.parse(name)
    listed = (record["product"], record["strip"], record["tile"])
    if listed != (said.product, said.strip, said.tile):
        reason = f"{name!r} is listed as product {listed[0]!r}, strip {listed[1]!r}, tile {listed[2]}"
        return Tile(acquisition, sensor, name, misnamed=reason)
    return Tile(acquisition, sensor, said.image_id, said.strip, said.tile, said.part)
