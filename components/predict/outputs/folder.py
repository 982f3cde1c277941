"""The files of a map that follow from its raster and its footprints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.geopackage import write_geopackage
from components.predict.outputs.item import item_json, map_item
from components.predict.outputs.page import write_page
from components.predict.outputs.reading import summarise
from components.predict.outputs.thumbnail import write_thumbnail
from components.predict.outputs.tiles import write_pmtiles


def write_rest(folder: Path, facts: MapFacts, *, geopackage: bool) -> dict[str, Any]:
    """Write thumbnail, vector tiles, page and, if asked for, GeoPackage; return the STAC item.

    Args:
        folder: Folder with ``probability.tif`` and ``footprints.parquet``.
        facts: Facts of the map.
        geopackage: True to write ``footprints.gpkg``.

    Raises:
        ResourceError: If the disk is full, or the vector tiles cannot be made.
    """
    footprints = folder / names.FOOTPRINTS
    write_thumbnail(folder / names.PROBABILITY, folder / names.THUMBNAIL)
    write_pmtiles(footprints, folder / names.TILES)
    if geopackage:
        write_geopackage(footprints, folder / names.GEOPACKAGE, created=facts.created)
    summary = summarise(footprints)
    write_page(folder, facts, summary)
    return item_json(map_item(folder, facts, summary))
