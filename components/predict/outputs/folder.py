"""The files of a map that follow from its raster and the table of its objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.geopackage import write_geopackage
from components.predict.outputs.item import item_json, map_item
from components.predict.outputs.page import write_page
from components.predict.outputs.reading import Summary, summarise
from components.predict.outputs.roads.page import write_road_page
from components.predict.outputs.roads.reading import RoadSummary, summarise_roads
from components.predict.outputs.roads.tables import write_road_geopackage, write_road_tiles
from components.predict.outputs.thumbnail import write_thumbnail
from components.predict.outputs.tiles import write_pmtiles


def write_rest(folder: Path, facts: MapFacts, *, geopackage: bool) -> dict[str, Any]:
    """Write thumbnail, vector tiles, page and, if asked for, GeoPackage; return the STAC item.

    Args:
        folder: Folder with ``probability.tif`` and, by ``facts.task``, ``footprints.parquet`` or
            ``roads.parquet``.
        facts: Facts of the map.
        geopackage: True to write the objects as a GeoPackage, too.

    Raises:
        ResourceError: If the disk is full, or the vector tiles cannot be made.
    """
    left_out = write_thumbnail(folder / names.PROBABILITY, folder / names.THUMBNAIL)
    write = _write_roads if facts.task == "roads" else _write_footprints
    summary = write(folder, facts, geopackage=geopackage)
    return item_json(map_item(folder, facts, summary, thumbnail_words=left_out))


def _write_footprints(folder: Path, facts: MapFacts, *, geopackage: bool) -> Summary:
    footprints = folder / names.FOOTPRINTS
    write_pmtiles(footprints, folder / names.TILES)
    if geopackage:
        write_geopackage(footprints, folder / names.GEOPACKAGE, created=facts.created)
    summary = summarise(footprints)
    write_page(folder, facts, summary)
    return summary


def _write_roads(folder: Path, facts: MapFacts, *, geopackage: bool) -> RoadSummary:
    write_road_tiles(folder)
    if geopackage:
        write_road_geopackage(folder, created=facts.created)
    summary = summarise_roads(folder / names.ROADS)
    write_road_page(folder, facts, summary)
    return summary
