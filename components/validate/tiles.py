"""The manifest's files gathered by tile."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from components.lib.datasets.sensors import dataset_of

Record = Mapping[Hashable, Any]
"""One row of the manifest."""


@dataclass(slots=True)
class Tile:
    """The files of one tile of one acquisition.

    Attributes:
        acquisition: Catalogue id.
        sensor: Sensor name.
        image_id: Key that all files of the tile share, or the file name of a file that belongs to no tile.
        strip: Strip, "" when misnamed.
        tile: Tile number, -1 when misnamed.
        part: Part of the release, "" when misnamed.
        files: Manifest row of each product there that later stages read; others lie in the shards untouched.
        duplicates: Rows that claim a product the tile already has.
        misnamed: Disagreement of the name with convention or manifest, in words, or None.
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
        dataset = dataset_of(str(record["sensor"]))
        if record["product"] == dataset.summaries.product:
            continue
        found = _tile_of(record)
        tile = tiles.setdefault((found.acquisition, found.image_id), found)
        product = str(record["product"])
        if tile.misnamed is not None or product in dataset.unread_names:
            continue
        tile.duplicates += product in tile.files
        tile.files.setdefault(product, record)
    return [tiles[key] for key in sorted(tiles)]


def _tile_of(record: Record) -> Tile:
    acquisition, sensor, name = str(record["acquisition"]), str(record["sensor"]), str(record["name"])
    dataset = dataset_of(sensor)
    if not dataset.matches(name):
        reason = f"the name {name!r} breaks the {dataset.naming.title} convention"
        return Tile(acquisition, sensor, name, misnamed=reason)
    parsed = dataset.parse(name)
    listed = (record["product"], record["strip"], record["tile"])
    if listed != (parsed.product, parsed.strip, parsed.tile):
        reason = f"{name!r} is listed as product {listed[0]!r}, strip {listed[1]!r}, tile {listed[2]}"
        return Tile(acquisition, sensor, name, misnamed=reason)
    return Tile(acquisition, sensor, parsed.image_id, parsed.strip, parsed.tile, parsed.part)
